// The operators on a kind of device: checks of the arguments, memory for the results, and an Engine's work on it.
//
// An Engine(device, wait) serves one call. It has empty<T>(sizes), render(mixture, image),
// render_backward(mixture, grad_image, grad_geometry, grad_experts), tile_lists(mixture) and fit(steps, losses,
// seconds), with pointers to memory of the device, except for `seconds`.
#pragma once
#include "arguments.h"
#include "torch_abi.h"

namespace rsmoe {

template <class Engine> struct Operators {
  using Tensor = torch_abi::Tensor;

  static Tensor render(const Tensor& geometry, const Tensor& experts, int64_t height, int64_t width, double tau,
                       bool normalised, double confidence, bool linear, bool wait) {
    const Mixture m =
        checked_mixture(geometry, experts, linear, height, width, checked_culling(tau, normalised, confidence));
    Engine engine(geometry.device(), wait);
    Tensor image = engine.template empty<float>(Batch(geometry).shape({m.channels, height, width}));
    engine.render(m, image.mutable_data<float>("image"));
    return image;
  }

  static std::tuple<Tensor, Tensor> render_backward(const Tensor& grad, const Tensor& geometry, const Tensor& experts,
                                                    double tau, bool normalised, double confidence, bool linear,
                                                    bool wait) {
    const Mixture m = checked_mixture(grad, geometry, experts, linear, checked_culling(tau, normalised, confidence));
    Engine engine(geometry.device(), wait);
    Tensor grad_geometry = engine.template empty<float>(geometry.sizes());
    Tensor grad_experts = engine.template empty<float>(experts.sizes());
    engine.render_backward(m, grad.data<float>("grad"), grad_geometry.mutable_data<float>("grad_geometry"),
                           grad_experts.mutable_data<float>("grad_experts"));
    return {std::move(grad_geometry), std::move(grad_experts)};
  }

  static std::tuple<Tensor, Tensor> tile_lists(const Tensor& geometry, int64_t height, int64_t width, double tau,
                                               bool normalised, double confidence) {
    geometry.require_shape("geometry", {-1, kGeometry});
    check_raster(height, width);
    const Culling culling = checked_culling(tau, normalised, confidence);
    const int64_t kernels = Batch(geometry).kernels();
    Engine engine(geometry.device(), true);
    return engine.tile_lists({geometry.data<float>("geometry"), nullptr, kernels, 0, false, height, width, culling});
  }

  static std::tuple<Tensor, Tensor> fit_steps(const Tensor& geometry, const Tensor& experts, const Tensor& state,
                                              const Tensor& target, const std::optional<Tensor>& weight, int64_t block,
                                              const Tensor& rates, int64_t height, int64_t width, int64_t first_step,
                                              double tau, bool normalised, double confidence, bool linear,
                                              bool whitened, int64_t list_interval, double list_margin, double beta1,
                                              double beta2, const std::vector<double>& limits, bool wait) {
    const FitSteps steps = checked_fit(geometry, experts, state, target, weight, block, rates, height, width,
                                       first_step, checked_culling(tau, normalised, confidence), linear, whitened,
                                       list_interval, list_margin, beta1, beta2, limits);
    Engine engine(geometry.device(), wait);
    Tensor losses = engine.template empty<float>(Batch(geometry).shape({steps.steps}));
    Tensor seconds = torch_abi::empty<float>({3});
    engine.fit(steps, losses.mutable_data<float>("losses"), seconds.mutable_data<float>("seconds"));
    return {std::move(losses), std::move(seconds)};
  }

  static void implement(torch_abi::Library& library) {
    library.impl<&render>("render")
        .template impl<&render_backward>("render_backward")
        .template impl<&tile_lists>("tile_lists")
        .template impl<&fit_steps>("fit_steps");
  }
};

}  // namespace rsmoe
