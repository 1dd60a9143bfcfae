// The operators, called as torch calls them, with sound arguments and with one that does not fit.
#pragma once
#include <bit>

#include "chance.h"
#include "model.h"
#include "torch_stand_in.h"

extern "C" const char* rsmoe_register_operators();

// The arguments of one call. At most one of them is spoilt, which has to be refused, or does no harm.
class Call {
 public:
  explicit Call(int arguments)
      : arguments_(arguments), spoilt_(happens(0.85f) ? static_cast<int>(whole(0, arguments - 1)) : -1) {}

  bool sound() const { return spoilt_ < 0; }

  // A tensor with these numbers, or with some of another shape, type or device.
  void add(std::vector<int64_t> sizes, const float* values) {
    const bool now = spoilt();
    const uint32_t kind = now ? random_bits() % 8 : 8;
    if (kind < 4 && !sizes.empty()) {
      int64_t& size = sizes[random_bits() % sizes.size()];
      size = one_of<int64_t>({0, 1, size - 1, size + 1, 2 * size});
    }
    if (kind == 4) sizes.push_back(1);
    if (kind == 5 && !sizes.empty()) sizes.pop_back();
    AtenTensorHandle tensor = stand_in::made(sizes, kind == 6 ? stand_in::kInt64 : stand_in::kFloat32);
    if (kind == 7) (happens(0.5f) ? tensor->device = stand_in::kCuda : tensor->contiguous = false);
    for (int64_t i = 0; i < tensor->numel() && kind != 6; ++i)
      stand_in::data<float>(tensor)[i] = kind == 8 ? values[i] : chance();
    stack_.push_back(std::bit_cast<StableIValue>(tensor));
  }
  void add(int64_t value) {
    const int64_t far = std::numeric_limits<int64_t>::max();
    // No size that is merely large: it would rightly take gigabytes.
    if (spoilt()) value = one_of<int64_t>({0, -1, value + 1, (1 << 24) + 1, far, -far, far / 2});
    stack_.push_back(std::bit_cast<StableIValue>(value));
  }
  void add(double value) {
    if (spoilt()) value = one_of<double>({0, -1, kNaN, kInfinity, -kInfinity, 1e300, 1e-300});
    stack_.push_back(std::bit_cast<StableIValue>(value));
  }
  void add(bool value) { stack_.push_back(spoilt() ? random_bits() : value); }
  void add_optional(bool given, std::vector<int64_t> sizes, const float* values) {
    if (!given) {
      spoilt();
      stack_.push_back(0);
      return;
    }
    add(std::move(sizes), values);
    stack_.back() = std::bit_cast<StableIValue>(new StableIValue(stack_.back()));
  }
  void add(const std::vector<double>& values) {
    auto* list = new StableListOpaque;
    for (const double value : values) list->values.push_back(std::bit_cast<StableIValue>(value));
    if (spoilt()) list->values.resize(random_bits() % 8, std::bit_cast<StableIValue>(hostile() + 0.0));
    stack_.push_back(std::bit_cast<StableIValue>(list));
  }

  // The tensors that the operator returns; none if it refuses the arguments.
  std::vector<AtenTensorHandle> results(const char* name, size_t count) {
    doing = std::string("operator ") + name + (sound() ? "" : ", argument " + std::to_string(spoilt_) + " spoilt");
    const size_t inputs = stack_.size();
    require(next_ == arguments_, "a call has another number of arguments than it says");
    stack_.resize(std::max(inputs, count));
    try {
      stand_in::operators.at(name)(stack_.data(), inputs, count);
    } catch (const std::runtime_error& error) {
      require(!sound(), error.what());
      const std::string message = error.what();
      require(message.rfind("rsmoe: ", 0) == 0, "an error does not say whose it is");
      // As torch never calls an operator: it counts the arguments itself, by the schema.
      require(message.find("schema and function differ") == std::string::npos, error.what());
      ++counts.refusals;
      return {};
    }
    std::vector<AtenTensorHandle> tensors;
    for (size_t i = 0; i < count; ++i) tensors.push_back(std::bit_cast<AtenTensorHandle>(stack_[i]));
    ++counts.calls;
    return tensors;
  }

 private:
  bool spoilt() { return next_++ == spoilt_; }

  std::vector<StableIValue> stack_;
  int arguments_, spoilt_, next_ = 0;
};

inline void freed(const std::vector<AtenTensorHandle>& tensors) {
  for (AtenTensorHandle tensor : tensors) aoti_torch_delete_tensor_object(tensor);
  require(stand_in::tensors == 0, "a tensor is lost");
}

inline void call_render(const Model& model) {
  Call call(9);
  call.add({model.kernels, kGeometry}, model.geometry.data());
  call.add({model.kernels, model.columns()}, model.experts.data());
  call.add(model.height);
  call.add(model.width);
  call.add(double{model.tau});
  call.add(model.normalised);
  call.add(double{model.confidence});
  call.add(model.linear);
  call.add(true);
  const auto images = call.results("render", 1);
  if (call.sound()) {
    Floats image(images[0]->numel());
    rsmoe::cpu::render(model.mixture(), image.data());
    require(std::memcmp(image.data(), stand_in::data<float>(images[0]), sizeof(float) * images[0]->numel()) == 0,
            "an operator draws something else");
  }
  freed(images);
}

inline void call_render_backward(const Model& model) {
  const Floats upstream = chances(model.channels * model.height * model.width);
  Call call(8);
  call.add({model.channels, model.height, model.width}, upstream.data());
  call.add({model.kernels, kGeometry}, model.geometry.data());
  call.add({model.kernels, model.columns()}, model.experts.data());
  call.add(double{model.tau});
  call.add(model.normalised);
  call.add(double{model.confidence});
  call.add(model.linear);
  call.add(true);
  freed(call.results("render_backward", 2));
}

inline void call_tile_lists(const Model& model) {
  Call call(6);
  call.add({model.kernels, kGeometry}, model.geometry.data());
  call.add(model.height);
  call.add(model.width);
  call.add(double{model.tau});
  call.add(model.normalised);
  call.add(double{model.confidence});
  freed(call.results("tile_lists", 2));
}

inline void call_fit_steps(const Model& model) {
  const int64_t tiles = (model.height + 15) / 16 * ((model.width + 15) / 16), steps = whole(1, 3);
  const Floats state(2 * (kMoments + model.columns()) * model.kernels), rates(4 * steps, 0.05f);
  const Floats target = chances(tiles * model.channels * kTilePixels), weight = chances(tiles * kTilePixels);
  Call call(21);
  call.add({model.kernels, kGeometry}, model.geometry.data());
  call.add({model.kernels, model.columns()}, model.experts.data());
  call.add({2, kMoments + model.columns(), model.kernels}, state.data());
  call.add({tiles, model.channels, kTilePixels}, target.data());
  call.add_optional(happens(0.5f), {tiles, kTilePixels}, weight.data());
  call.add(int64_t{1});
  call.add({steps, 4}, rates.data());
  call.add(model.height);
  call.add(model.width);
  call.add(int64_t{0});
  call.add(double{model.tau});
  call.add(model.normalised);
  call.add(double{model.confidence});
  call.add(model.linear);
  call.add(true);
  call.add(whole(1, 4));
  call.add(2.0);
  call.add(0.9);
  call.add(0.99);
  call.add(std::vector<double>{20, 8, 0.25, 200, 8});
  call.add(true);
  freed(call.results("fit_steps", 2));
}

inline void call_filter_patches() {
  const int64_t channels = whole(1, 3), height = whole(8, 20), width = whole(8, 20);
  constexpr int64_t kSide = rsmoe::cpu::kPatchPixels;
  const Floats noisy = chances(channels * height * width), variance(channels * height * width, 0.1f);
  const Floats correlation = Floats::made(channels * kSide * kSide, [](int64_t i) {
    const int64_t at = i % (kSide * kSide);
    return at / kSide == at % kSide ? 1.0f : 0.0f;
  });
  Call call(12);
  for (int i = 0; i < 2; ++i) call.add({channels, height, width}, noisy.data());
  call.add({channels, height, width}, variance.data());
  call.add({channels, kSide, kSide}, correlation.data());
  call.add(int64_t{3});
  call.add(int64_t{5});
  call.add(int64_t{10});
  call.add(int64_t{20});
  call.add(2.0);
  call.add(0.1);
  call.add(0.1);
  call.add(happens(0.5f));
  freed(call.results("filter_patches", 2));
}

inline void call_segment() {
  const int64_t height = whole(1, 30), width = whole(1, 30), channels = whole(1, 4);
  const Floats image = chances(height * width * channels);
  Call call(2);
  call.add({height, width, channels}, image.data());
  call.add(0.3);
  freed(call.results("segment", 1));
}

inline void try_operators(const Model& model) {
  stand_in::threads = 3;
  call_render(model);
  call_render_backward(model);
  call_tile_lists(model);
  call_segment();
  for (int times = 0; times < 12; ++times) {  // these have the most arguments, and nearly all calls are refused at once
    call_fit_steps(model);
    call_filter_patches();
  }
}
