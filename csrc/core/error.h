// Errors that reach the caller as JavaScript exceptions, and the macro that raises them.
#pragma once
#include <stdexcept>
#include <string>

#include "shape.h"

namespace sconce {

enum class ErrorKind {
  kRuntime,  // Error (PyTorch's RuntimeError, ValueError, NotImplementedError)
  kType,     // TypeError
  kIndex,    // RangeError (PyTorch's IndexError)
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& what) : std::runtime_error(what), kind(kind) {}
  const ErrorKind kind;
};

namespace detail {
inline void append(std::string& s, const char* v) { s += v; }
inline void append(std::string& s, const std::string& v) { s += v; }
inline void append(std::string& s, char v) { s += v; }
inline void append(std::string& s, bool v) { s += v ? "True" : "False"; }
inline void append(std::string& s, int v) { s += std::to_string(v); }
inline void append(std::string& s, long v) { s += std::to_string(v); }
inline void append(std::string& s, long long v) { s += std::to_string(v); }
inline void append(std::string& s, unsigned v) { s += std::to_string(v); }
inline void append(std::string& s, unsigned long v) { s += std::to_string(v); }
void append(std::string& s, double v);       // as Python's repr
void append(std::string& s, const Dims& v);  // [2, 3]
}  // namespace detail

template <class... Args>
std::string str(const Args&... args) {
  std::string s;
  (detail::append(s, args), ...);
  return s;
}

[[noreturn]] void throw_error(ErrorKind kind, const std::string& what);

#define SC_CHECK(cond, ...)                                                             \
  do {                                                                                  \
    if (__builtin_expect(!(cond), 0))                                                   \
      ::sconce::throw_error(::sconce::ErrorKind::kRuntime, ::sconce::str(__VA_ARGS__)); \
  } while (0)
#define SC_CHECK_INDEX(cond, ...)                                                     \
  do {                                                                                \
    if (__builtin_expect(!(cond), 0))                                                 \
      ::sconce::throw_error(::sconce::ErrorKind::kIndex, ::sconce::str(__VA_ARGS__)); \
  } while (0)
#define SC_CHECK_TYPE(cond, ...)                                                     \
  do {                                                                               \
    if (__builtin_expect(!(cond), 0))                                                \
      ::sconce::throw_error(::sconce::ErrorKind::kType, ::sconce::str(__VA_ARGS__)); \
  } while (0)

}  // namespace sconce
