// Note [Signatures]
// A signature is written as PyTorch writes it: `name.overload(Type name=default, *, Type
// keyword_only=default) -> Returns`. Types: Tensor, Tensor?, Tensor[], Tensor?[], Scalar, Scalar?, Scalar[],
// int, int?, int[], int[2], int[]?, float, float[], bool, str, ScalarType (a dtype), Device, MemoryFormat,
// Generator; `?` allows None. It is the single source: the parser of arguments (lib/dispatch.ts), the
// TypeScript declarations (scripts/generate.ts) and the guard tests all read it.
#include "registry.h"

#include <cstdlib>
#include <cstring>

namespace sconce {

std::vector<OpEntry*>& registry() {
  static auto* ops = new std::vector<OpEntry*>;
  return *ops;
}

OpRegistrar::OpRegistrar(const char* signature, Thunk thunk, size_t arity, uint32_t flags, const char* doc) {
  auto* e = new OpEntry{signature, thunk, arity, flags, doc, {}, {}, {}, {}};
  registry().push_back(e);
}

static ParamType param_type(const std::string& t, const char* signature) {
  if (t == "Tensor") return ParamType::kTensor;
  if (t == "Tensor[]") return ParamType::kTensorList;
  if (t == "Tensor?[]") return ParamType::kOptTensorList;
  if (t == "Scalar") return ParamType::kScalar;
  if (t == "Scalar[]") return ParamType::kScalarList;
  if (t == "int") return ParamType::kInt;
  if (t == "float") return ParamType::kFloat;
  if (t == "bool") return ParamType::kBool;
  if (t == "str") return ParamType::kString;
  if (t == "int[]") return ParamType::kIntList;
  if (t == "float[]") return ParamType::kFloatList;
  if (t == "ScalarType") return ParamType::kDType;
  if (t == "Device") return ParamType::kDevice;
  if (t == "MemoryFormat") return ParamType::kMemoryFormat;
  if (t == "Generator") return ParamType::kGenerator;
  throw_error(ErrorKind::kRuntime, str("bad type '", t, "' in signature ", signature));
}

static Value parse_default(const Param& p, const char* signature) {
  Value v;
  const std::string& t = p.default_text;
  if (t == "None") return v;
  switch (p.type) {
    case ParamType::kBool:
      v.tag = Value::kBool;
      v.i = t == "True";
      break;
    case ParamType::kInt:
      v.tag = Value::kInt;
      v.i = atoll(t.c_str());
      break;
    case ParamType::kFloat:
      v.tag = Value::kFloat;
      v.f = t == "inf" ? HUGE_VAL : atof(t.c_str());
      break;
    case ParamType::kScalar:
      v.tag = Value::kScalar;
      v.scalar = t == "True" || t == "False"                  ? Scalar(t == "True")
                 : t.find_first_of(".e") == std::string::npos ? Scalar(static_cast<int64_t>(atoll(t.c_str())))
                                                              : Scalar(atof(t.c_str()));
      break;
    case ParamType::kString:
      v.tag = Value::kString;
      v.text = t.substr(1, t.size() - 2);
      break;
    case ParamType::kIntList: {
      v.tag = Value::kIntList;
      const char* c = t.c_str();
      if (*c != '[') {  // int[2] x=0
        v.ints.assign(static_cast<size_t>(p.list_size > 0 ? p.list_size : 1), atoll(c));
        break;
      }
      ++c;
      while (*c && *c != ']') {
        char* end;
        v.ints.push_back(strtoll(c, &end, 10));
        SC_CHECK(end != c, "bad default '", t, "' in signature ", signature);
        c = end;
        while (*c == ',' || *c == ' ') ++c;
      }
      break;
    }
    case ParamType::kMemoryFormat:
      v.tag = Value::kMemoryFormat;
      v.i = t == "channels_last" ? 2 : t == "preserve_format" ? 1 : 0;
      break;
    default:
      throw_error(ErrorKind::kRuntime, str("bad default '", t, "' in signature ", signature));
  }
  return v;
}

void OpEntry::parse() {
  if (!name.empty()) return;
  const std::string s = signature;
  const size_t open = s.find('('), arrow = s.find(") -> ");
  SC_CHECK(open != std::string::npos && arrow != std::string::npos, "bad signature ", signature);
  const std::string full = s.substr(0, open);
  const size_t dot = full.find('.');
  returns = s.substr(arrow + 5);
  bool keyword_only = false;
  size_t i = open + 1;
  while (i < arrow) {
    size_t end = i;  // up to the next comma outside brackets
    int depth = 0;
    while (end < arrow && (s[end] != ',' || depth > 0)) {
      if (s[end] == '[') ++depth;
      if (s[end] == ']') --depth;
      ++end;
    }
    std::string part = s.substr(i, end - i);
    i = end + 1;
    while (i < arrow && s[i] == ' ') ++i;
    if (part == "*") {
      keyword_only = true;
      continue;
    }
    Param p;
    p.keyword_only = keyword_only;
    const size_t space = part.find(' ');
    std::string type = part.substr(0, space), rest = part.substr(space + 1);
    if (type.back() == '?') {
      p.optional = true;
      type.pop_back();
    }
    const size_t bracket = type.find('[');
    if (bracket != std::string::npos && type[bracket + 1] != ']') {
      p.list_size = atoi(type.c_str() + bracket + 1);
      type = type.substr(0, bracket) + "[]";
    }
    p.type = param_type(type, signature);
    const size_t eq = rest.find('=');
    p.name = rest.substr(0, eq);
    if (eq != std::string::npos) {
      p.has_default = true;
      p.default_text = rest.substr(eq + 1);
      p.default_value = parse_default(p, signature);
    }
    params.push_back(std::move(p));
  }
  SC_CHECK(params.size() == arity, "signature ", signature, " has ", params.size(),
           " parameters, its function ", arity);
  overload = dot == std::string::npos ? "" : full.substr(dot + 1);
  name = full.substr(0, dot);
}

void invoke(const OpEntry& op, const Value* args, Result& out, bool in_place_form) {
  if (!in_place_form) {
    op.thunk(args, out);
    return;
  }
  if (op.flags & kReshapes) {
    to_result(out, reshape_in_place(args[0].tensor, [&op, args]() -> Tensor {
                Result r;
                op.thunk(args, r);
                return r.tensor;
              }));
    return;
  }
  bool direct = false;
  if (op.flags & kDirect) {
    direct = true;
    if (recording())
      for (size_t i = 0; i < op.arity; ++i) direct = direct && !args[i].tensor.tracked();
  }
  Tensor self = in_place(
      args[0].tensor,
      [&op, args]() -> Tensor {
        if (!(op.flags & kReadsFirst))
          for (size_t i = 1; i < op.arity; ++i)
            check_apart(args[0].tensor, args[i].tensor, !(op.flags & kReadsApart));
        Result r;
        op.thunk(args, r);
        return r.tensor;
      },
      direct);
  to_result(out, std::move(self));
}

}  // namespace sconce
