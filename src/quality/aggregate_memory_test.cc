// The memory bound that aggregate.h states, by counting what this program has allocated at once. The
// sanitisers want the allocator for themselves: there the test is absent.

#include <gtest/gtest.h>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "quality/aggregate.h"
#include "quality/label_test_data.h"

namespace {
std::atomic<size_t> in_use{0}, most_in_use{0};
constexpr size_t kHeader = 16;

void* counted(size_t size) {
  auto* block = static_cast<size_t*>(std::malloc(size + kHeader));
  if (block == nullptr) throw std::bad_alloc();
  *block = size;
  const size_t now = in_use += size;
  size_t most = most_in_use;
  while (now > most && !most_in_use.compare_exchange_weak(most, now)) {
  }
  return reinterpret_cast<char*>(block) + kHeader;
}

void release(void* pointer) {
  if (pointer == nullptr) return;
  auto* block = reinterpret_cast<size_t*>(static_cast<char*>(pointer) - kHeader);
  in_use -= *block;
  std::free(block);
}
}  // namespace

void* operator new(size_t size) { return counted(size); }
void* operator new[](size_t size) { return counted(size); }
void operator delete(void* pointer) noexcept { release(pointer); }
void operator delete[](void* pointer) noexcept { release(pointer); }
void operator delete(void* pointer, size_t) noexcept { release(pointer); }
void operator delete[](void* pointer, size_t) noexcept { release(pointer); }

namespace hone::quality {
namespace {

TEST(Aggregate, NeedsAtMostAHundredBytesALabelAnd24TimesTasksTimesClasses) {
  for (const size_t classes : {size_t{2}, size_t{5}}) {
    const LabelTable table = table_of_rows(plant(20000, 500, classes, 4, 0.5, 0.9, 12).rows);
    for (const Method method : all_methods()) {
      AggregateOptions options;
      options.method = method;
      options.max_iterations = 3;
      const size_t before = in_use;
      most_in_use = before;
      const Aggregate result = aggregate(table, options);
      const size_t used = most_in_use - before;
      const size_t bound =
          100 * table.label_count() + 24 * table.task_count() * table.class_count();
      std::printf("%-12s %zu classes: %.1f bytes a label, %.0f %% of the bound\n",
                  std::string(method_name(method)).c_str(), classes,
                  static_cast<double>(used) / static_cast<double>(table.label_count()),
                  100.0 * static_cast<double>(used) / static_cast<double>(bound));
      EXPECT_LE(used, bound) << method_name(method) << " with " << classes << " classes";
    }
  }
}

}  // namespace
}  // namespace hone::quality

#endif
