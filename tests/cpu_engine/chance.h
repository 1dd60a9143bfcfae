// Random and hostile numbers, memory that ends where it should, and what is counted and required.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <limits>
#include <string>
#include <vector>

#include "common/mixture.h"
#include "torch_stand_in.h"

using namespace rsmoe;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();

// ---- random numbers ----------------------------------------------------------------------------------------------

inline uint64_t state = 1;
inline uint32_t random_bits() {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return static_cast<uint32_t>(state >> 32);
}
inline float chance() { return static_cast<float>(random_bits() >> 8) / 16777216.0f; }
inline int64_t whole(int64_t low, int64_t high) { return low + random_bits() % (high - low + 1); }
inline bool happens(float probability) { return chance() < probability; }
template <class T> T one_of(std::initializer_list<T> values) { return values.begin()[random_bits() % values.size()]; }

inline float any_bits() {
  const uint32_t bits = random_bits();
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline float hostile() {
  const float sign = happens(0.5f) ? 1.0f : -1.0f;
  if (happens(0.3f)) return any_bits();
  return sign * one_of({kNaN, kInfinity, 3.4e38f, 3e38f, 1e30f, 1e20f, 1e-30f, 1e-40f, 0.0f, kMostCenter, kMostSteering,
                        kMostLogit, 0.4f * kMostCenter, 0.4f * kMostSteering, 0.9f * kMostLogit});
}

// ---- memory of the caller ----------------------------------------------------------------------------------------

// Floats that begin and end within a vector, exactly as many as asked for.
class Floats {
 public:
  explicit Floats(int64_t size, float value = 0.0f) : all_(static_cast<size_t>(size) + 1, value) {}
  template <class Make> static Floats made(int64_t size, Make&& make) {
    Floats result(size);
    for (int64_t i = 0; i < size; ++i) result[i] = make(i);
    return result;
  }
  float* data() { return all_.data() + 1; }
  const float* data() const { return all_.data() + 1; }
  float& operator[](int64_t i) { return all_[static_cast<size_t>(i) + 1]; }
  float operator[](int64_t i) const { return all_[static_cast<size_t>(i) + 1]; }
  int64_t size() const { return static_cast<int64_t>(all_.size()) - 1; }
  // Some of them are no longer what they should be.
  void spoil(float share) {
    for (int64_t i = 0; i < size(); ++i)
      if (happens(share)) (*this)[i] = hostile();
  }
  bool operator==(const Floats& other) const {
    return size() == other.size() &&
           std::memcmp(data(), other.data(), sizeof(float) * all_.size() - sizeof(float)) == 0;
  }
  bool finite() const {
    for (int64_t i = 0; i < size(); ++i)
      if (!std::isfinite((*this)[i])) return false;
    return true;
  }

 private:
  std::vector<float> all_;
};

inline Floats chances(int64_t size) {
  return Floats::made(size, [](int64_t) { return chance(); });
}

// ---- results -----------------------------------------------------------------------------------------------------

struct Counts {
  int64_t rounds = 0, models = 0, hostile_models = 0, drawings = 0, gradients = 0, fits = 0, lists = 0,
          patch_filters = 0, segmentations = 0, calls = 0, refusals = 0;
};
inline Counts counts;

inline std::string doing;  // for messages
inline bool good = true;

inline void require(bool holds, const char* what) {
  if (holds || !good) return;
  good = false;
  std::printf("wrong: %s (%s)\n", what, doing.c_str());
}

inline FILE* images = nullptr;

// The same work with one thread and with several, which must give the same bits.
inline Floats with_any_threads(const std::function<Floats()>& work) {
  stand_in::threads = one_of({2u, 3u, 4u});
  Floats several = work();
#if !defined(__SANITIZE_THREAD__)
  stand_in::threads = 1;
  require(several == work(), "the number of threads changes bits");
#endif
  return several;
}
