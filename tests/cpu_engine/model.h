// A random mixture, sound or hostile.
#pragma once
#include "chance.h"

struct Model {
  int64_t kernels = happens(0.2f) ? whole(1, 3) : happens(0.1f) ? whole(100, 700) : whole(4, 60);
  int64_t height = happens(0.1f) ? 1 : whole(2, 70), width = happens(0.1f) ? 1 : whole(2, 70);
  int32_t channels = static_cast<int32_t>(whole(1, 6));
  bool linear = happens(0.4f), normalised = happens(0.6f);
  float tau = one_of({0.5f, 7.0f, 9.0f, 20.0f, kInfinity});
  float confidence = happens(0.2f) ? 3.0f : 0.0f;
  int hostility = static_cast<int>(random_bits() % 3);  // 0: ordinary, 1: some numbers are hostile, 2: many
  Floats geometry = Floats(kernels * kGeometry), experts = chances(kernels * columns());

  Model() {
    const float scale = happens(0.3f) ? one_of({0.02f, 0.3f, 40.0f, 1e4f}) : 0.0f;
    for (int64_t i = 0; i < kernels; ++i) {
      const float r = 1 / (scale > 0 ? scale : 0.4f + 15 * chance() * chance());
      const float row[kGeometry] = {(chance() * 1.4f - 0.2f) * static_cast<float>(height),
                                    (chance() * 1.4f - 0.2f) * static_cast<float>(width),
                                    r,
                                    r * (chance() - 0.5f) * 4,
                                    r * (0.3f + chance()),
                                    4 * chance() - 2};
      std::memcpy(geometry.data() + i * kGeometry, row, sizeof row);
    }
    const float share = hostility == 2 ? 0.5f : 0.05f;
    if (hostility) geometry.spoil(share);
    if (hostility && happens(0.5f)) experts.spoil(share);
    ++counts.models;
    counts.hostile_models += hostility != 0;
    doing = "model " + std::to_string(counts.models) + ": " + std::to_string(kernels) + " kernels of " +
            std::to_string(channels) + " channels, " + std::to_string(height) + " x " + std::to_string(width) +
            (linear ? ", linear" : "") + (normalised ? ", smoe" : ", rbf") + ", tau " + std::to_string(tau) +
            ", hostility " + std::to_string(hostility);
  }

  int32_t columns() const { return expert_columns(channels, linear); }
  Culling culling() const { return {tau, normalised, confidence}; }
  Mixture mixture() const {
    return {geometry.data(), experts.data(), kernels, channels, linear, height, width, culling()};
  }
  bool drawable(int64_t i) const {
    return is_drawable(load_kernel(geometry.data() + i * kGeometry), kMostCenter) &&
           is_drawable_expert(experts.data() + i * columns(), columns());
  }
  float largest_expert() const {
    float largest = 0;
    for (int64_t i = 0; i < kernels; ++i)
      for (int32_t c = 0; drawable(i) && c < columns(); ++c)
        largest = std::max(largest, std::abs(experts[i * columns() + c]));
    return largest;
  }
};
