// A stand-in for the part of torch's C ABI that the operators call: tensors on the heap, lists, strings, a table of
// operators. Their memory is exactly as long as the tensor, so that AddressSanitizer sees what lies beyond.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "torch_c_abi.h"

// Handles are owned by whoever receives them; several may share the memory of one tensor.
struct AtenTensorOpaque {
  std::vector<int64_t> sizes;
  int32_t dtype = 6;  // float32
  int32_t device = 0;
  bool contiguous = true;
  std::shared_ptr<std::vector<char>> memory;

  int64_t numel() const {
    int64_t count = 1;
    for (const int64_t size : sizes) count *= size;
    return count;
  }
};
struct StableListOpaque {
  std::vector<StableIValue> values;
};
struct StringOpaque {
  std::string text;
};
class TorchLibraryOpaque {};

namespace stand_in {

using Operator = void (*)(StableIValue*, uint64_t, uint64_t);

inline uint32_t threads = 1;
inline std::map<std::string, Operator> operators;
inline int64_t tensors = 0;  // that exist

constexpr int32_t kFloat32 = 6, kFloat64 = 7, kInt32 = 3, kInt64 = 4, kUint8 = 0, kCpu = 0, kCuda = 1;

inline int64_t width(int32_t dtype) { return dtype == kInt64 ? 8 : dtype == kUint8 ? 1 : 4; }

inline AtenTensorHandle made(std::vector<int64_t> sizes, int32_t dtype = kFloat32) {
  auto* tensor = new AtenTensorOpaque{std::move(sizes), dtype};
  // At another address than a multiple of a vector, as torch allows: the first element is left out.
  const int64_t bytes = (tensor->numel() + 1) * width(dtype);
  tensor->memory = std::make_shared<std::vector<char>>(static_cast<size_t>(bytes), char{0x7f});
  ++tensors;
  return tensor;
}
inline AtenTensorHandle shared(AtenTensorHandle tensor) {
  ++tensors;
  return new AtenTensorOpaque(*tensor);
}
template <class T> T* data(AtenTensorHandle tensor) {
  return reinterpret_cast<T*>(tensor->memory->data() + width(tensor->dtype));
}

}  // namespace stand_in

extern "C" {

AOTITorchError torch_get_num_threads(uint32_t* out) { return *out = stand_in::threads, 0; }

int32_t aoti_torch_dtype_float32() { return stand_in::kFloat32; }
int32_t aoti_torch_dtype_float64() { return stand_in::kFloat64; }
int32_t aoti_torch_dtype_int32() { return stand_in::kInt32; }
int32_t aoti_torch_dtype_int64() { return stand_in::kInt64; }
int32_t aoti_torch_dtype_uint8() { return stand_in::kUint8; }
int32_t aoti_torch_device_type_cpu() { return stand_in::kCpu; }
int32_t aoti_torch_device_type_cuda() { return stand_in::kCuda; }

AOTITorchError aoti_torch_delete_tensor_object(AtenTensorHandle tensor) {
  --stand_in::tensors;
  delete tensor;
  return 0;
}
AOTITorchError aoti_torch_get_dim(AtenTensorHandle tensor, int64_t* out) {
  return *out = static_cast<int64_t>(tensor->sizes.size()), 0;
}
AOTITorchError aoti_torch_get_numel(AtenTensorHandle tensor, int64_t* out) { return *out = tensor->numel(), 0; }
AOTITorchError aoti_torch_get_sizes(AtenTensorHandle tensor, int64_t** out) { return *out = tensor->sizes.data(), 0; }
AOTITorchError aoti_torch_get_dtype(AtenTensorHandle tensor, int32_t* out) { return *out = tensor->dtype, 0; }
AOTITorchError aoti_torch_get_device_type(AtenTensorHandle tensor, int32_t* out) { return *out = tensor->device, 0; }
AOTITorchError aoti_torch_get_device_index(AtenTensorHandle, int32_t* out) { return *out = 0, 0; }
AOTITorchError aoti_torch_is_contiguous(AtenTensorHandle tensor, bool* out) { return *out = tensor->contiguous, 0; }
AOTITorchError torch_get_const_data_ptr(AtenTensorHandle tensor, const void** out) {
  return *out = stand_in::data<char>(tensor), 0;
}
AOTITorchError torch_get_mutable_data_ptr(AtenTensorHandle tensor, void** out) {
  return *out = stand_in::data<char>(tensor), 0;
}
AOTITorchError aoti_torch_empty_strided(int64_t ndim, const int64_t* sizes, const int64_t*, int32_t dtype, int32_t,
                                        int32_t, AtenTensorHandle* out) {
  return *out = stand_in::made({sizes, sizes + ndim}, dtype), 0;
}

AOTITorchError torch_list_size(StableListHandle list, size_t* out) { return *out = list->values.size(), 0; }
AOTITorchError torch_list_get_item(StableListHandle list, size_t index, StableIValue* out) {
  return *out = list->values[index], 0;
}
AOTITorchError torch_delete_list(StableListHandle list) {
  delete list;
  return 0;
}
AOTITorchError torch_new_string_handle(const char* text, size_t length, StringHandle* out) {
  return *out = new StringOpaque{std::string(text, length)}, 0;
}

AOTITorchError aoti_torch_library_init_def(const char*, const char*, uint32_t, TorchLibraryHandle* out) {
  static TorchLibraryOpaque library;
  return *out = &library, 0;
}
AOTITorchError aoti_torch_library_init_impl(const char*, const char*, const char*, uint32_t, TorchLibraryHandle* out) {
  return aoti_torch_library_init_def(nullptr, nullptr, 0, out);
}
AOTITorchError aoti_torch_library_def(TorchLibraryHandle, const char*) { return 0; }
AOTITorchError torch_library_impl(TorchLibraryHandle, const char* name, stand_in::Operator function, uint64_t) {
  stand_in::operators[name] = function;
  return 0;
}
AOTITorchError aoti_torch_create_device_guard(int32_t, DeviceGuardHandle*) { return 0; }
AOTITorchError aoti_torch_delete_device_guard(DeviceGuardHandle) { return 0; }
AOTITorchError aoti_torch_get_current_cuda_stream(int32_t, void**) { return 1; }

}  // extern "C"
