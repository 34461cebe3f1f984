#include "reward/length.h"

#include <cmath>

#include "base/error.h"

namespace hone::reward {

namespace {

// One value from one answer alone.
class OfAnswer : public RewardFunction {
 public:
  explicit OfAnswer(std::string name) : name_(std::move(name)) {}
  const std::string& name() const override { return name_; }
  std::vector<std::optional<double>> score(std::span<const Sample> samples) override {
    std::vector<std::optional<double>> out;
    for (const Sample& sample : samples) out.push_back(value(sample));
    return out;
  }

 protected:
  virtual double value(const Sample& sample) const = 0;

 private:
  std::string name_;
};

size_t words_of(std::string_view text) {
  size_t words = 0;
  bool inside = false;
  for (char c : text) {
    const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    words += !space && !inside ? 1 : 0;
    inside = !space;
  }
  return words;
}

size_t characters_of(std::string_view text) {
  size_t count = 0;
  for (char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return count;
}

void require(bool good, const Spec& spec, const char* what) {
  if (!good) throw invalid_input("--reward \"" + spec.text() + "\": " + what);
}

class Length : public OfAnswer {
 public:
  explicit Length(Spec spec)
      : OfAnswer(spec.name()),
        target_(spec.number_of("target", -1)),
        scale_(spec.number_of("scale", target_)),
        unit_(spec.one_of("unit", {"tokens", "words", "characters"})) {
    spec.done();
    require(target_ >= 0, spec, "it needs target=N, 0 or more");
    require(scale_ > 0, spec, "scale must be above 0");
  }

 protected:
  double value(const Sample& sample) const override {
    const size_t length = unit_ == "tokens"  ? sample.completion_ids.size()
                          : unit_ == "words" ? words_of(sample.completion)
                                             : characters_of(sample.completion);
    return std::max(0.0, 1 - std::abs(static_cast<double>(length) - target_) / scale_);
  }

 private:
  double target_, scale_;
  std::string unit_;
};

class Overlong : public OfAnswer {
 public:
  explicit Overlong(Spec spec)
      : OfAnswer(spec.name()), max_(spec.number_of("max", -1)), cache_(spec.number_of("cache", 0)) {
    spec.done();
    require(max_ > 0, spec, "it needs max=N, above 0");
    require(cache_ >= 0 && cache_ <= max_, spec, "cache must be between 0 and max");
  }

 protected:
  double value(const Sample& sample) const override {
    const double length = static_cast<double>(sample.completion_ids.size());
    if (length <= max_ - cache_) return 0;
    return length <= max_ ? (max_ - cache_ - length) / cache_ : -1;
  }

 private:
  double max_, cache_;
};

class Ended : public OfAnswer {
 public:
  explicit Ended(Spec spec) : OfAnswer(spec.name()) { spec.done(); }

 protected:
  double value(const Sample& sample) const override { return sample.ended ? 1 : 0; }
};

class Format : public OfAnswer {
 public:
  explicit Format(Spec spec)
      : OfAnswer(spec.name()),
        open_(spec.text_of("open", "<think>")),
        close_(spec.text_of("close", "</think>")) {
    spec.done();
    require(!open_.empty() && !close_.empty(), spec, "open and close must not be empty");
  }

 protected:
  double value(const Sample& sample) const override {
    const std::string_view text = sample.completion;
    return text.starts_with(open_) && text.find(open_, open_.size()) == std::string_view::npos &&
                   text.find(close_, open_.size()) != std::string_view::npos
               ? 1
               : 0;
  }

 private:
  std::string open_, close_;
};

}  // namespace

std::unique_ptr<RewardFunction> make_length(Spec spec) {
  return std::make_unique<Length>(std::move(spec));
}
std::unique_ptr<RewardFunction> make_overlong(Spec spec) {
  return std::make_unique<Overlong>(std::move(spec));
}
std::unique_ptr<RewardFunction> make_ended(Spec spec) {
  return std::make_unique<Ended>(std::move(spec));
}
std::unique_ptr<RewardFunction> make_format(Spec spec) {
  return std::make_unique<Format>(std::move(spec));
}

}  // namespace hone::reward
