// Draws mixtures with the CPU engine on a system without Python, to be compared elsewhere: `program JOB RESULT`.
//
// JOB holds numbers of 32 bits: kernels, channels, height, width, linear, normalised, threads, and the floats of the
// geometry, the experts and the gradient of the image. RESULT then holds the image and the gradients of geometry and
// experts. It needs no torch.
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <vector>

#include "cpu/mixture.h"
#include "torch_c_abi.h"

namespace {

constexpr float kAllThatMatters = 20.0f;  // nats: what is culled changes a pixel by less than rounding does

uint32_t threads = 1;

template <class T> std::vector<T> read(FILE* file, int64_t size) {
  std::vector<T> values(static_cast<size_t>(size));
  if (std::fread(values.data(), sizeof(T), values.size(), file) != values.size())
    throw std::runtime_error("the job is too short");
  return values;
}

}  // namespace

// The part of torch's C ABI that the engine below the operators calls.
extern "C" AOTITorchError torch_get_num_threads(uint32_t* out_num_threads) {
  *out_num_threads = threads;
  return 0;
}

int main(int count, char** names) {
  FILE* job = count == 3 ? std::fopen(names[1], "rb") : nullptr;
  FILE* result = count == 3 ? std::fopen(names[2], "wb") : nullptr;
  if (!job || !result) return std::puts("usage: program JOB RESULT"), 2;
  const auto n = read<int32_t>(job, 7);
  const int64_t kernels = n[0], height = n[2], width = n[3], pixels = n[1] * height * width;
  const bool linear = n[4] != 0, normalised = n[5] != 0;
  const int32_t channels = n[1], columns = rsmoe::expert_columns(channels, linear);
  threads = static_cast<uint32_t>(n[6]);
  const auto geometry = read<float>(job, kernels * rsmoe::kGeometry), experts = read<float>(job, kernels * columns),
             grad = read<float>(job, pixels);
  const rsmoe::Culling culling{kAllThatMatters, normalised, 0};
  const rsmoe::Mixture mixture{geometry.data(), experts.data(), kernels, channels, linear, height, width, culling};
  std::vector<float> image(static_cast<size_t>(pixels)), by_geometry(geometry.size()), by_expert(experts.size());
  rsmoe::cpu::render(mixture, image.data());
  rsmoe::cpu::render_backward(mixture, grad.data(), by_geometry.data(), by_expert.data());
  for (const auto& values : {image, by_geometry, by_expert})
    std::fwrite(values.data(), sizeof(float), values.size(), result);
  return std::fclose(result) == 0 ? 0 : 1;
}
