// The part of torch that the operators need, for C++: tensors, operator registration, threads, devices; built on
// the C functions of torch_c_abi.h. Everything here reports a failure by throwing std::runtime_error, which
// torch's dispatcher hands on to Python as a RuntimeError with the same text.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "floating_point.h"
#include "torch_c_abi.h"

namespace rsmoe::torch_abi {

[[noreturn]] inline void fail(const std::string& message) { throw std::runtime_error("rsmoe: " + message); }

// The message is a literal, so that a check that holds costs nothing. For a message with numbers write
// `if (!ok) fail(...)`.
inline void check(bool holds, const char* message) {
  if (!holds) fail(message);
}

// Throws unless a call into torch succeeded. Torch itself prints the error to stderr.
inline void require_success(AOTITorchError error, const char* call) {
  if (error) fail(std::string("a call into torch failed: ") + call);
}
#define RSMOE_TORCH(call) ::rsmoe::torch_abi::require_success((call), #call)

// ---- tensors ---------------------------------------------------------------------------------------------

// The element types that operators exchange with torch.
template <class T> struct ElementType;
template <> struct ElementType<float> {
  static constexpr const char* name = "float32";
  static int32_t code() { return aoti_torch_dtype_float32(); }
};
template <> struct ElementType<double> {
  static constexpr const char* name = "float64";
  static int32_t code() { return aoti_torch_dtype_float64(); }
};
template <> struct ElementType<int32_t> {
  static constexpr const char* name = "int32";
  static int32_t code() { return aoti_torch_dtype_int32(); }
};
template <> struct ElementType<int64_t> {
  static constexpr const char* name = "int64";
  static int32_t code() { return aoti_torch_dtype_int64(); }
};
template <> struct ElementType<uint8_t> {
  static constexpr const char* name = "uint8";
  static int32_t code() { return aoti_torch_dtype_uint8(); }
};

// Where a tensor lives. The index counts from 0 on CUDA devices and means nothing on the CPU.
struct Device {
  int32_t type;
  int32_t index;

  static Device cpu() { return {aoti_torch_device_type_cpu(), 0}; }
  bool is_cpu() const { return type == aoti_torch_device_type_cpu(); }
  bool is_cuda() const { return type == aoti_torch_device_type_cuda(); }
  bool operator==(const Device&) const = default;
};

// Owns one reference to a torch tensor.
class Tensor {
 public:
  explicit Tensor(AtenTensorHandle owned) noexcept : handle_(owned) {}
  Tensor(Tensor&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Tensor& operator=(Tensor&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;
  ~Tensor() {
    if (handle_) aoti_torch_delete_tensor_object(handle_);
  }

  // Returns the handle; the caller then owns the reference.
  AtenTensorHandle release() noexcept { return std::exchange(handle_, nullptr); }

  int64_t dim() const {
    int64_t value;
    RSMOE_TORCH(aoti_torch_get_dim(handle_, &value));
    return value;
  }
  int64_t numel() const {
    int64_t value;
    RSMOE_TORCH(aoti_torch_get_numel(handle_, &value));
    return value;
  }
  // The sizes, valid as long as the tensor.
  std::span<const int64_t> sizes() const {
    int64_t* values;
    RSMOE_TORCH(aoti_torch_get_sizes(handle_, &values));
    return {values, static_cast<size_t>(dim())};
  }
  int64_t size(int64_t d) const {
    check(d >= 0 && d < dim(), "dimension out of range");
    return sizes()[static_cast<size_t>(d)];
  }
  Device device() const {
    Device value;
    RSMOE_TORCH(aoti_torch_get_device_type(handle_, &value.type));
    RSMOE_TORCH(aoti_torch_get_device_index(handle_, &value.index));
    return value;
  }

  // The first element, once type and contiguity have been checked. `name` is what messages call the tensor.
  template <class T> const T* data(const char* name) const {
    require_plain<T>(name);
    const void* pointer;
    RSMOE_TORCH(torch_get_const_data_ptr(handle_, &pointer));
    require_alignment<T>(name, pointer);
    return static_cast<const T*>(pointer);
  }
  template <class T> T* mutable_data(const char* name) const {
    require_plain<T>(name);
    void* pointer;
    RSMOE_TORCH(torch_get_mutable_data_ptr(handle_, &pointer));
    require_alignment<T>(name, pointer);
    return static_cast<T*>(pointer);
  }

  // Throws unless the tensor has this shape; -1 stands for any size.
  void require_shape(const char* name, std::initializer_list<int64_t> expected) const {
    require_shape(name, std::span<const int64_t>(expected.begin(), expected.size()));
  }
  void require_shape(const char* name, std::span<const int64_t> expected) const {
    const auto actual = sizes();
    const bool same = std::ranges::equal(expected, actual, [](int64_t e, int64_t a) { return e < 0 || e == a; });
    if (!same) fail(std::string(name) + " must have shape " + text(expected) + ", not " + text(actual));
  }

  // Whether the elements are of this type.
  template <class T> bool holds() const {
    int32_t dtype;
    RSMOE_TORCH(aoti_torch_get_dtype(handle_, &dtype));
    return dtype == ElementType<T>::code();
  }

  // Throws unless the tensor lives on this device.
  void require_device(const char* name, Device expected) const {
    const Device actual = device();
    const bool same = actual.type == expected.type && (actual.is_cpu() || actual.index == expected.index);
    if (!same) fail(std::string(name) + " is on another device than the other arguments");
  }

 private:
  template <class T> void require_plain(const char* name) const {
    if (!holds<T>()) fail(std::string(name) + " must be " + ElementType<T>::name);
    bool contiguous;
    RSMOE_TORCH(aoti_torch_is_contiguous(handle_, &contiguous));
    if (!contiguous) fail(std::string(name) + " must be contiguous");
  }

  // A tensor may begin at any element, but not within one, as one made of a buffer of bytes can.
  template <class T> static void require_alignment(const char* name, const void* pointer) {
    if (std::bit_cast<uintptr_t>(pointer) % alignof(T) != 0)
      fail(std::string(name) + " must begin at a multiple of its elements' size in memory");
  }

  static std::string text(std::span<const int64_t> sizes) {
    std::string result = "[";
    for (const int64_t size : sizes) {
      if (result.size() > 1) result += ", ";
      result += size < 0 ? "any" : std::to_string(size);
    }
    return result + "]";
  }

  AtenTensorHandle handle_;
};

// A new contiguous tensor with undefined contents.
template <class T> Tensor empty(std::span<const int64_t> sizes, Device device = Device::cpu()) {
  std::vector<int64_t> strides(sizes.size());
  int64_t stride = 1;
  for (size_t d = sizes.size(); d-- > 0;) {
    if (sizes[d] < 0) fail("a size is negative: " + std::to_string(sizes[d]));
    strides[d] = stride;
    stride *= std::max<int64_t>(sizes[d], 1);
  }
  AtenTensorHandle handle;
  RSMOE_TORCH(aoti_torch_empty_strided(static_cast<int64_t>(sizes.size()), sizes.data(), strides.data(),
                                       ElementType<T>::code(), device.type, device.index, &handle));
  return Tensor(handle);
}
template <class T> Tensor empty(std::initializer_list<int64_t> sizes, Device device = Device::cpu()) {
  return empty<T>(std::span<const int64_t>(sizes.begin(), sizes.size()), device);
}

// ---- arguments and results -------------------------------------------------------------------------------

// Conversion of a value to and from the 64 bits by which torch passes it. `take` becomes the owner of what it reads,
// `give` leaves the ownership to torch. Each type has the directions that the operators use.
template <class T> struct Slot;

template <> struct Slot<Tensor> {
  static Tensor take(StableIValue v) noexcept { return Tensor(std::bit_cast<AtenTensorHandle>(v)); }
  static StableIValue give(Tensor value) noexcept { return std::bit_cast<StableIValue>(value.release()); }
};
template <> struct Slot<int64_t> {
  static int64_t take(StableIValue v) noexcept { return std::bit_cast<int64_t>(v); }
  static StableIValue give(int64_t value) noexcept { return std::bit_cast<StableIValue>(value); }
};
template <> struct Slot<double> {
  static double take(StableIValue v) noexcept { return std::bit_cast<double>(v); }
  static StableIValue give(double value) noexcept { return std::bit_cast<StableIValue>(value); }
};
template <> struct Slot<bool> {
  static bool take(StableIValue v) noexcept { return (v & 0xff) != 0; }
  static StableIValue give(bool value) noexcept { return value ? 1 : 0; }
};
template <> struct Slot<std::string> {
  static StableIValue give(const std::string& value) {
    StringHandle handle;
    RSMOE_TORCH(torch_new_string_handle(value.data(), value.size(), &handle));
    return std::bit_cast<StableIValue>(handle);
  }
};
// None is a null pointer, a value is a slot on the heap that the receiver frees.
template <class T> struct Slot<std::optional<T>> {
  static std::optional<T> take(StableIValue v) {
    const auto* pointer = std::bit_cast<StableIValue*>(v);
    if (!pointer) return std::nullopt;
    const StableIValue inner = *pointer;
    delete pointer;
    return Slot<T>::take(inner);
  }
};
template <class T> struct Slot<std::vector<T>> {
  static std::vector<T> take(StableIValue v) {
    const auto handle = std::bit_cast<StableListHandle>(v);
    size_t size = 0;
    RSMOE_TORCH(torch_list_size(handle, &size));
    std::vector<T> values;
    values.reserve(size);
    for (size_t i = 0; i < size; ++i) {
      StableIValue element;
      RSMOE_TORCH(torch_list_get_item(handle, i, &element));
      values.push_back(Slot<T>::take(element));
    }
    torch_delete_list(handle);
    return values;
  }
};

// ---- operators -------------------------------------------------------------------------------------------

// The function that torch calls for an operator. Denormals are flushed during the work in the calling thread.
template <auto function> struct Boxed;
template <class Result, class... Arguments, Result (*function)(Arguments...)> struct Boxed<function> {
  static void call(StableIValue* stack, uint64_t inputs, uint64_t outputs) {
    call(stack, inputs, outputs, std::index_sequence_for<Arguments...>());
  }

 private:
  template <size_t... i>
  static void call(StableIValue* stack, uint64_t inputs, uint64_t outputs, std::index_sequence<i...>) {
    const FlushDenormals flush;
    check(inputs == sizeof...(Arguments), "an operator's schema and function differ in their arguments");
    // All arguments are taken before anything can throw, so that none leaks.
    std::tuple<std::remove_cvref_t<Arguments>...> arguments{Slot<std::remove_cvref_t<Arguments>>::take(stack[i])...};
    if constexpr (std::is_void_v<Result>) {
      check(outputs == 0, "an operator's schema and function differ in their results");
      function(static_cast<Arguments&&>(std::get<i>(arguments))...);
    } else {
      give(stack, outputs, function(static_cast<Arguments&&>(std::get<i>(arguments))...));
    }
  }

  template <class T>
  static void give(StableIValue* stack, uint64_t outputs, T value) {  // NOLINT(performance-unnecessary-value-param)
    check(outputs == 1, "an operator's schema and function differ in their results");
    stack[0] = Slot<T>::give(std::move(value));
  }
  template <class... T> static void give(StableIValue* stack, uint64_t outputs, std::tuple<T...> values) {
    check(outputs == sizeof...(T), "an operator's schema and function differ in their results");
    std::apply([&](T&... value) { ((*stack++ = Slot<T>::give(std::move(value))), ...); }, values);
  }
};

// Operators of one namespace: define() registers their schemas, implement() their functions for a kind of device.
// The registration lasts as long as the process.
class Library {
 public:
  static Library define(const char* ns) {
    Library library;
    RSMOE_TORCH(aoti_torch_library_init_def(ns, __FILE__, __LINE__, &library.handle_));
    return library;
  }
  // `key` is a dispatch key: "CPU", "CUDA", or "CompositeExplicitAutograd" for operators without a tensor.
  static Library implement(const char* ns, const char* key) {
    Library library;
    RSMOE_TORCH(aoti_torch_library_init_impl(ns, key, __FILE__, __LINE__, &library.handle_));
    return library;
  }

  Library& def(const char* schema) {
    RSMOE_TORCH(aoti_torch_library_def(handle_, schema));
    return *this;
  }
  // The function's arguments and results are of types that have a Slot; several results are a std::tuple.
  template <auto function> Library& impl(const char* name) {
    constexpr uint64_t built_for = (uint64_t{2} << 56) | (uint64_t{10} << 48);  // the C ABI of torch 2.10
    RSMOE_TORCH(torch_library_impl(handle_, name, &Boxed<function>::call, built_for));
    return *this;
  }

 private:
  TorchLibraryHandle handle_ = nullptr;
};

// Runs `registration` the first time only; returns nullptr, or an error message.
inline const char* register_once(void (*registration)()) noexcept {
  static std::string error;
  static const bool done = [registration]() noexcept {
    try {
      registration();
      return true;
    } catch (const std::exception& exception) {
      error = exception.what();
      return false;
    }
  }();
  return done ? nullptr : error.c_str();
}

// ---- threads ---------------------------------------------------------------------------------------------

// The number of threads set by torch.set_num_threads.
inline int64_t num_threads() {
  uint32_t value;
  RSMOE_TORCH(torch_get_num_threads(&value));
  return value;
}

// ---- devices ---------------------------------------------------------------------------------------------

// Makes a device of the current accelerator the current one, until the end of the scope.
class DeviceGuard {
 public:
  explicit DeviceGuard(int32_t device_index) { RSMOE_TORCH(aoti_torch_create_device_guard(device_index, &handle_)); }
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;
  ~DeviceGuard() { aoti_torch_delete_device_guard(handle_); }

 private:
  DeviceGuardHandle handle_ = nullptr;
};

// torch's current CUDA stream, a cudaStream_t. For the library that links libtorch_cuda only.
inline void* current_cuda_stream(int32_t device_index) {
  void* stream;
  RSMOE_TORCH(aoti_torch_get_current_cuda_stream(device_index, &stream));
  return stream;
}

}  // namespace rsmoe::torch_abi
