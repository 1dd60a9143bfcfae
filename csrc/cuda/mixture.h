// A whole image on a CUDA device: render, its gradient, the fused steps of a fit. Everything is queued on a stream,
// and nothing is read back from the device, so it can be captured in a CUDA graph. No header of CUDA or torch is
// needed here.
//
// The lists have a fixed capacity in pairs of a tile and a kernel. If it does not suffice, results are NaN, and a fit
// stops at the step that would have needed more, which `outcome` reports.
#pragma once
#include <cstdint>
#include <functional>

#include "../common/mixture.h"

namespace rsmoe::cuda {

// Memory of the device, aligned to 256 bytes, kept until the stream is done with it.
using Allocate = std::function<void*(int64_t bytes)>;

struct Queue {
  void* stream;  // a cudaStream_t
  Allocate allocate;
  int64_t capacity;  // pairs of a tile and a kernel of all models; see first_capacity
};

// The results that the host may read at the end.
struct Outcome {
  bool overflow;
  int64_t needed;  // capacity, if that was too small
  int64_t steps;   // of a fit, done
};

// A capacity that usually suffices for this many models, for lists with this margin tau.
int64_t first_capacity(int32_t models, int64_t kernels, int64_t height, int64_t width, float tau);

// Where on the device the calls below write their Status.
using StatusPointer = void*;

// image: [models, channels, height, width]
StatusPointer render(const Mixture&, float* image, const Queue&);

// grad_image: [models, channels, height, width]; writes dLoss/d(y, x, r11, r12, r22, logit) and dLoss/d(experts).
StatusPointer render_backward(const Mixture&, const float* grad_image, float* grad_geometry, float* grad_experts,
                              const Queue&);

// Builds the lists of one model. start: [tiles + 1] int32; ids: [capacity].
StatusPointer tile_lists(const Mixture&, int32_t* start, int32_t* ids, const Queue&);

// Steps from `done` on; losses: [models, steps], sum over pixels and channels of weight (value - target)^2 before each
// step, NaN where a step has not been taken.
StatusPointer fit(const FitSteps&, int64_t done, float* losses, const Queue&);

// Waits for the stream. Not to be called while a graph is captured.
Outcome outcome(StatusPointer, const Queue&);
bool is_capturing(const Queue&);

// Copies between host and device, or on the device, and waits until the copy is done.
void copy(void* to, const void* from, int64_t bytes, void* stream);

// Throws if a launch failed.
void check_launches();

}  // namespace rsmoe::cuda
