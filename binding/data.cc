// Bytes in and out: typed arrays, single values.
#include <cmath>
#include <cstring>

#include "../csrc/core/float16.h"
#include "env.h"

namespace sconce::binding {
namespace {

struct Bytes {
  char* data;
  size_t length;  // in bytes
};
Bytes view_bytes(napi_env env, napi_value v) {
  napi_typedarray_type type;
  size_t length;
  void* data;
  napi_value buffer;
  size_t offset;
  check(env, napi_get_typedarray_info(env, v, &type, &length, &data, &buffer, &offset));
  static const size_t widths[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
  return {static_cast<char*>(data), length * widths[type]};
}

// from_bytes(typed array, dtype of its elements, shape): a new CPU tensor with a copy of the bytes.
napi_value from_bytes(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Bytes b = view_bytes(env, a.v[0]);
    const auto dt = static_cast<DType>(get_int(env, a.v[1]));
    Tensor t = empty(Dims(get_ints(env, a.v[2])), dt);
    const auto need = static_cast<size_t>(t.numel() * t.itemsize());
    SC_CHECK(b.length == need, "from_bytes: shape ", t.sizes(), " needs ", need, " bytes, but got ",
             b.length);
    if (need) memcpy(t.data(), b.data, need);
    return wrap(env, std::move(t));
  });
}

// share_bytes(typed array, dtype, shape): a tensor on the typed array's own memory.
napi_value share_bytes(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Bytes b = view_bytes(env, a.v[0]);
    const auto dt = static_cast<DType>(get_int(env, a.v[1]));
    const Dims sizes(get_ints(env, a.v[2]));
    SC_CHECK(static_cast<int64_t>(b.length) == numel_of(sizes) * item_size(dt), "from_typed_array: shape ",
             sizes, " does not fit an array of ", b.length / static_cast<size_t>(item_size(dt)), " elements");
    auto* keep = new JsRef(env, a.v[0]);
    Ref<Storage> s = Storage::wrap(
        b.data, static_cast<int64_t>(b.length), [](void* c) { delete static_cast<JsRef*>(c); }, keep);
    return wrap(
        env, Tensor(Ref<TensorImpl>(new TensorImpl(std::move(s), dt, sizes, contiguous_strides(sizes), 0))));
  });
}

Tensor host_contiguous(const Tensor& t) {
  if (t.device().is_cpu()) return contiguous_raw(t);
  Tensor host = empty(t.sizes(), t.dtype());
  copy_into(host, t);
  return host;
}

// read_into(tensor, typed array): the elements in row-major order; 16-bit floats as float32.
napi_value read_into(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    Tensor t = unwrap(env, a.v[0]);
    if (is_reduced_floating(t.dtype())) t = cast_raw(t, DType::kFloat32);
    t = host_contiguous(t);
    const Bytes b = view_bytes(env, a.v[1]);
    const auto need = static_cast<size_t>(t.numel() * t.itemsize());
    SC_CHECK(b.length == need, "read_into: expected an array of ", need, " bytes, but got ", b.length);
    if (need) memcpy(b.data, t.data(), need);
    return undefined(env);
  });
}

// raw_bytes_into(tensor, Uint8Array): the storage format itself, for files.
napi_value raw_bytes_into(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Tensor t = host_contiguous(unwrap(env, a.v[0]));
    const Bytes b = view_bytes(env, a.v[1]);
    const auto need = static_cast<size_t>(t.numel() * t.itemsize());
    SC_CHECK(b.length == need, "raw_bytes_into: expected an array of ", need, " bytes, but got ", b.length);
    if (need) memcpy(b.data, t.data(), need);
    return undefined(env);
  });
}

Scalar read_element(const void* p, DType dt) {
  switch (dt) {
    case DType::kFloat32:
      return static_cast<double>(*static_cast<const float*>(p));
    case DType::kFloat64:
      return *static_cast<const double*>(p);
    case DType::kFloat16:
      return static_cast<double>(half_to_float(*static_cast<const uint16_t*>(p)));
    case DType::kBFloat16:
      return static_cast<double>(bfloat16_to_float(*static_cast<const uint16_t*>(p)));
    case DType::kInt64:
      return *static_cast<const int64_t*>(p);
    case DType::kInt32:
      return static_cast<int64_t>(*static_cast<const int32_t*>(p));
    case DType::kInt16:
      return static_cast<int64_t>(*static_cast<const int16_t*>(p));
    case DType::kInt8:
      return static_cast<int64_t>(*static_cast<const int8_t*>(p));
    case DType::kUInt8:
      return static_cast<int64_t>(*static_cast<const uint8_t*>(p));
    default:
      return *static_cast<const uint8_t*>(p) != 0;
  }
}

napi_value item(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Tensor t = unwrap(env, a.v[0]);
    SC_CHECK(t.numel() == 1, "a Tensor with ", t.numel(), " elements cannot be converted to Scalar");
    const Tensor host = t.device().is_cpu() ? t : host_contiguous(t);
    return from_scalar(env, read_element(host.data(), host.dtype()));
  });
}

// edges(tensor, keep): every dimension longer than 2 * keep reduced to its first and last `keep` entries, for
// printing.
napi_value edges(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Args a(env, info);
    const Tensor t = unwrap(env, a.v[0]);
    const int64_t keep = get_int(env, a.v[1]);
    Dims shape = t.sizes();
    std::vector<int> cut;
    for (int i = 0; i < shape.size(); ++i)
      if (shape[i] > 2 * keep) {
        shape[i] = 2 * keep;
        cut.push_back(i);
      }
    Tensor out = empty(shape, t.dtype(), t.device());
    Dims block = shape;
    for (int d : cut) block[d] = keep;
    for (uint32_t corner = 0; corner < 1u << cut.size();
         ++corner) {  // each cut dimension: its head or its tail
      int64_t from = t.storage_offset(), to = 0;
      for (size_t k = 0; k < cut.size(); ++k) {
        if (!(corner >> k & 1)) continue;
        from += (t.sizes()[cut[k]] - keep) * t.strides()[cut[k]];
        to += keep * out.strides()[cut[k]];
      }
      copy_into(alias_of(out, block, out.strides(), to), alias_of(t, block, t.strides(), from));
    }
    return wrap(env, std::move(out));
  });
}

}  // namespace

void init_data(napi_env env, napi_value exports) {
  SC_DEFINE(from_bytes);
  SC_DEFINE(share_bytes);
  SC_DEFINE(read_into);
  SC_DEFINE(raw_bytes_into);
  SC_DEFINE(item);
  SC_DEFINE(edges);
}

}  // namespace sconce::binding
