// The registry: one row per operator, beside the operator. See Note [Signatures] in registry.cc.
#pragma once
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "../autograd/differentiable.h"

namespace sconce {

class Generator;

// ---- values that cross between the binding and an operator ----
enum class ParamType : int8_t {
  kTensor,
  kTensorList,
  kOptTensorList,
  kScalar,
  kInt,
  kFloat,
  kBool,
  kString,
  kIntList,
  kFloatList,
  kDType,
  kDevice,
  kMemoryFormat,
  kGenerator,
  kScalarList
};

struct Value {
  enum Tag : int8_t {
    kNone,
    kTensor,
    kScalar,
    kInt,
    kFloat,
    kBool,
    kIntList,
    kFloatList,
    kString,
    kTensorList,
    kDType,
    kDevice,
    kMemoryFormat,
    kGenerator
  } tag = kNone;
  union {
    int64_t i = 0;
    double f;
    Generator* generator;
  };
  Scalar scalar;
  Tensor tensor;
  std::vector<int64_t> ints;
  std::vector<double> floats;
  TensorList tensors;
  std::string text;
  Device device;
};

using IntList = std::vector<int64_t>;
using FloatList = std::vector<double>;

// Reading an argument: one specialisation per C++ parameter type that operators use.
template <class T>
struct FromValue;
template <>
struct FromValue<Tensor> {
  static const Tensor& get(const Value& v) { return v.tensor; }
};  // undefined for None
template <>
struct FromValue<Scalar> {
  static Scalar get(const Value& v) { return v.scalar; }
};
template <>
struct FromValue<int64_t> {
  static int64_t get(const Value& v) { return v.i; }
};
template <>
struct FromValue<double> {
  static double get(const Value& v) { return v.f; }
};
template <>
struct FromValue<bool> {
  static bool get(const Value& v) { return v.i != 0; }
};
template <>
struct FromValue<std::string> {
  static const std::string& get(const Value& v) { return v.text; }
};
template <>
struct FromValue<IntList> {
  static const IntList& get(const Value& v) { return v.ints; }
};
template <>
struct FromValue<FloatList> {
  static const FloatList& get(const Value& v) { return v.floats; }
};
template <>
struct FromValue<Dims> {
  static Dims get(const Value& v) { return Dims(v.ints); }
};
template <>
struct FromValue<TensorList> {
  static const TensorList& get(const Value& v) { return v.tensors; }
};
template <>
struct FromValue<DType> {
  static DType get(const Value& v) { return static_cast<DType>(v.i); }
};
template <>
struct FromValue<MemoryFormat> {
  static MemoryFormat get(const Value& v) { return static_cast<MemoryFormat>(v.i); }
};
template <>
struct FromValue<Device> {
  static Device get(const Value& v) { return v.device; }
};
template <>
struct FromValue<Generator*> {
  static Generator* get(const Value& v) { return v.tag == Value::kNone ? nullptr : v.generator; }
};
template <class T>
struct FromValue<std::optional<T>> {
  static std::optional<T> get(const Value& v) {
    if (v.tag == Value::kNone) return std::nullopt;
    return std::optional<T>(FromValue<T>::get(v));
  }
};

// Returning: a tensor, a list or tuple of tensors, or a plain value.
struct Result {
  enum Tag : int8_t { kNone, kTensor, kTensors, kScalar, kBool, kInt, kInts } tag = kNone;
  Tensor tensor;
  TensorList tensors;
  Scalar scalar;
  std::vector<int64_t> ints;
};
inline void to_result(Result& r, Tensor&& t) {
  r.tag = Result::kTensor;
  r.tensor = std::move(t);
}
inline void to_result(Result& r, const Tensor& t) {
  r.tag = Result::kTensor;
  r.tensor = t;
}
inline void to_result(Result& r, TensorList&& t) {
  r.tag = Result::kTensors;
  r.tensors = std::move(t);
}
inline void to_result(Result& r, Scalar s) {
  r.tag = Result::kScalar;
  r.scalar = s;
}
inline void to_result(Result& r, double s) {
  r.tag = Result::kScalar;
  r.scalar = Scalar(s);
}
inline void to_result(Result& r, int64_t s) {
  r.tag = Result::kScalar;
  r.scalar = Scalar(s);
}
inline void to_result(Result& r, bool b) {
  r.tag = Result::kBool;
  r.scalar = Scalar(b);
}
inline void to_result(Result& r, std::vector<int64_t>&& v) {
  r.tag = Result::kInts;
  r.ints = std::move(v);
}
template <class... T>
void to_result(Result& r, std::tuple<T...>&& t) {
  r.tag = Result::kTensors;
  std::apply([&](auto&&... x) { (r.tensors.push_back(std::move(x)), ...); }, std::move(t));
}

using Thunk = void (*)(const Value* args, Result& out);
template <auto F, class Sig>
struct ThunkOf;
template <auto F, class R, class... A>
struct ThunkOf<F, R (*)(A...)> {
  static constexpr size_t kArity = sizeof...(A);
  template <size_t... I>
  static void call(const Value* args, Result& out, std::index_sequence<I...>) {
    if constexpr (std::is_void_v<R>)
      F(FromValue<std::decay_t<A>>::get(args[I])...);
    else
      to_result(out, F(FromValue<std::decay_t<A>>::get(args[I])...));
  }
  static void run(const Value* args, Result& out) { call(args, out, std::index_sequence_for<A...>{}); }
};

// ---- rows ----
enum OpFlags : uint32_t {
  kFunction = 1,     // torch.name
  kMethod = 2,       // tensor.name
  kInPlace = 4,      // tensor.name_: generated from the function (autograd/in_place.cc)
  kDirect = 8,       // its in-place form is one element-wise kernel that may write straight into `self`
  kNN = 16,          // torch.nn.functional.name
  kNoGrad = 32,      // explicitly not differentiable
  kWritesSelf = 64,  // the function itself writes its first argument (normal_, index_put_ by hand, fused
                     // optimizer steps)
  kInternal = 128,   // reachable only from lib/, undocumented
  kRandom = 256,     // result depends on the generator: tests skip value comparison of repeated calls
  kReshapes = 512,   // its in-place form changes the geometry of `self`, not its elements (squeeze_, t_)
  // What its in-place form reads besides `self` may share memory with it; may not even be the same elements.
  // (By default: the same elements or none.)
  kReadsFirst = 1024,
  kReadsApart = 2048,
};

struct Param {
  std::string name;
  ParamType type;
  bool optional = false;  // `?`: None allowed
  bool has_default = false;
  bool keyword_only = false;
  int list_size = 0;         // int[2]: a single number fills it
  std::string default_text;  // as in the signature
  Value default_value;
};

struct OpEntry {
  const char* signature;  // "add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor"
  Thunk thunk;
  size_t arity;
  uint32_t flags;
  const char* doc;
  std::string name, overload;
  std::vector<Param> params;
  std::string returns;  // "Tensor", "(Tensor values, Tensor indices)", "Tensor[]", "bool", ...
  void parse();         // fills the fields above from the signature; checks it against the function's arity
};

std::vector<OpEntry*>& registry();
// Runs an operator; `in_place` writes the result into args[0].
void invoke(const OpEntry& op, const Value* args, Result& out, bool in_place);

struct OpRegistrar {
  OpRegistrar(const char* signature, Thunk thunk, size_t arity, uint32_t flags, const char* doc);
};

#define SC_OP_CAT2(a, b) a##b
#define SC_OP_CAT(a, b) SC_OP_CAT2(a, b)
// OP(signature, function, flags, documentation). The function's parameters are the signature's, in order.
#define OP(signature, fn, flags, doc)                                                     \
  static const ::sconce::OpRegistrar SC_OP_CAT(sc_op_, __COUNTER__)(                      \
      signature, &::sconce::ThunkOf<static_cast<decltype(&fn)>(&fn), decltype(&fn)>::run, \
      ::sconce::ThunkOf<&fn, decltype(&fn)>::kArity, flags, doc)

}  // namespace sconce
