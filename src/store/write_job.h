#pragma once
// One write on its way to the writer thread: the function of the caller, and who gets its value.
// Callers use Database::write, write_async and submit (database.h).

#include <exception>
#include <future>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/result.h"

namespace hone::store {

class Transaction;

enum class Durability {
  kProcess,  // the commit survives the end of the process, not of the power
  kDisk,     // the commit is on the disk before the answer
};

class WriteJob {
 public:
  explicit WriteJob(Durability durability) : durability_(durability) {}
  virtual ~WriteJob() = default;
  Durability durability() const { return durability_; }

  // Calls the function; throws what it throws. May be called again after a rollback.
  virtual void run(Transaction& tx) = 0;
  // Called once and last: error is null when the job is as durable as it asked for.
  virtual void answer(std::exception_ptr error) noexcept = 0;

 private:
  Durability durability_;
};

// The Error that this exception is, or an internal one whose detail says what it was.
Error error_of(const std::exception_ptr& exception);

// The value of a function that may have none.
template <class R>
using ValueOf = std::conditional_t<std::is_void_v<R>, std::monostate, std::decay_t<R>>;

// Holds the function and its value. Tx is Transaction, as a parameter because it is complete only
// where a job is made.
template <class F, class Tx>
class ValuedJob : public WriteJob {
 public:
  using R = std::invoke_result_t<F&, Tx&>;
  template <class G>
  ValuedJob(Durability durability, G&& f) : WriteJob(durability), f_(std::forward<G>(f)) {}

  void run(Transaction& tx) override {
    value_.reset();
    if constexpr (std::is_void_v<R>) {
      f_(tx);
      value_.emplace();
    } else {
      value_.emplace(f_(tx));
    }
  }

 protected:
  F f_;
  std::optional<ValueOf<R>> value_;
};

template <class F, class Tx>
class PromisedJob final : public ValuedJob<F, Tx> {
 public:
  using R = typename ValuedJob<F, Tx>::R;
  using ValuedJob<F, Tx>::ValuedJob;

  std::future<R> future() { return promise_.get_future(); }
  void answer(std::exception_ptr error) noexcept override {
    if (error) {
      promise_.set_exception(error);
    } else if constexpr (std::is_void_v<R>) {
      promise_.set_value();
    } else {
      promise_.set_value(std::move(*this->value_));
    }
  }

 private:
  std::promise<R> promise_;
};

template <class F, class Done, class Tx>
class CallbackJob final : public ValuedJob<F, Tx> {
 public:
  using Value = ValueOf<typename ValuedJob<F, Tx>::R>;
  template <class G, class D>
  CallbackJob(Durability durability, G&& f, D&& done)
      : ValuedJob<F, Tx>(durability, std::forward<G>(f)), done_(std::forward<D>(done)) {}

  void answer(std::exception_ptr error) noexcept override {
    if (error) {
      done_(Result<Value>(error_of(error)));
    } else {
      done_(Result<Value>(std::move(*this->value_)));
    }
  }

 private:
  Done done_;
};

}  // namespace hone::store
