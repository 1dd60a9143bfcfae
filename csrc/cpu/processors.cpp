#include "processors.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <string>
#include <thread>
#if defined(__linux__)
#include <sched.h>
#endif

namespace rsmoe::cpu {
namespace {

constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();

int64_t by_affinity() {
#if defined(__linux__)
  cpu_set_t allowed;  // sched_getaffinity fails on machines of more than 1024 processors.
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return std::max(1, CPU_COUNT(&allowed));
#endif
  static const int64_t all = std::max(1u, std::thread::hardware_concurrency());
  return all;
}

int64_t whole_processors(double quota, double period) {
  return quota > 0 && period > 0 ? static_cast<int64_t>(std::ceil(quota / period)) : kUnlimited;
}

// The limit of a control group of version 2, from a file like "150000 100000" or "max 100000": microseconds of
// processor time in a period, and the period.
int64_t by_cpu_max(const std::string& group) {
  std::ifstream file("/sys/fs/cgroup" + group + "/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max") return kUnlimited;
  return whole_processors(std::strtod(quota.c_str(), nullptr), period);
}

// The limit of a control group of version 1, with a file for each of the two numbers; -1 means no limit.
int64_t by_quota_files(const std::string& group) {
  for (const char* controller : {"cpu", "cpu,cpuacct"}) {
    const std::string folder = std::string("/sys/fs/cgroup/") + controller + group;
    std::ifstream quota_file(folder + "/cpu.cfs_quota_us"), period_file(folder + "/cpu.cfs_period_us");
    double quota = 0, period = 0;
    if (quota_file >> quota && period_file >> period) return whole_processors(quota, period);
  }
  return kUnlimited;
}

// The smallest limit of the process's own group and of those around it. Containers see theirs as the outermost.
int64_t by_control_group() {
  std::ifstream groups("/proc/self/cgroup");  // lines like "0::/user.slice" or "4:cpu,cpuacct:/user.slice"
  int64_t least = std::min(by_cpu_max(""), by_quota_files(""));
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool limits_time = controllers.empty() || controllers.find("cpu") != std::string::npos;
    for (std::string group = line.substr(second + 1); limits_time && group.size() > 1;) {
      least = std::min({least, by_cpu_max(group), by_quota_files(group)});
      group.resize(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
    }
  }
  return std::max<int64_t>(1, least);
}

}  // namespace

int64_t processors() {
  static const int64_t by_group = by_control_group();
  return std::min(by_affinity(), by_group);
}

}  // namespace rsmoe::cpu
