#include "shape.h"

#include <algorithm>

#include "error.h"

namespace sconce {

void throw_too_many_dims(int64_t n) {
  throw_error(ErrorKind::kRuntime,
              str("sconce supports tensors of at most ", kMaxDims, " dimensions, but got ", n));
}

int64_t numel_of(const Dims& sizes) {
  int64_t n = 1;
  for (int64_t s : sizes) {
    SC_CHECK(s >= 0, "Trying to create tensor with negative dimension ", s, ": ", sizes);
    SC_CHECK(!__builtin_mul_overflow(n, s, &n), "numel: integer multiplication overflow");
  }
  return n;
}

Dims contiguous_strides(const Dims& sizes) {
  Dims st = Dims::filled(sizes.size(), 1);
  int64_t step = 1;
  for (int i = sizes.size() - 1; i >= 0; --i) {
    st[i] = step;
    step *= std::max<int64_t>(sizes[i], 1);
  }
  return st;
}

Dims channels_last_strides(const Dims& s) {
  Dims st = Dims::filled(4, 1);
  st[1] = 1;
  st[3] = std::max<int64_t>(s[1], 1);
  st[2] = st[3] * std::max<int64_t>(s[3], 1);
  st[0] = st[2] * std::max<int64_t>(s[2], 1);
  return st;
}

Dims broadcast_shapes(const Dims& a, const Dims& b) {
  const int n = std::max(a.size(), b.size());
  Dims out = Dims::filled(n, 1);
  for (int i = n - 1; i >= 0; --i) {
    const int ia = i - (n - a.size()), ib = i - (n - b.size());
    const int64_t sa = ia >= 0 ? a[ia] : 1, sb = ib >= 0 ? b[ib] : 1;
    SC_CHECK(sa == sb || sa == 1 || sb == 1, "The size of tensor a (", sa,
             ") must match the size of tensor b (", sb, ") at non-singleton dimension ", i);
    out[i] = sa == 1 ? sb : sa;
  }
  return out;
}

bool is_expandable_to(const Dims& from, const Dims& to) {
  if (from.size() > to.size()) return false;
  for (int i = 1; i <= from.size(); ++i) {
    const int64_t f = from[from.size() - i], t = to[to.size() - i];
    if (f != t && f != 1) return false;
  }
  return true;
}

int wrap_dim(int64_t dim, int64_t ndim, bool wrap_scalar) {
  int64_t n = ndim;
  if (n == 0) {
    SC_CHECK_INDEX(wrap_scalar, "Dimension specified as ", dim, " but tensor has no dimensions");
    n = 1;
  }
  SC_CHECK_INDEX(dim >= -n && dim < n, "Dimension out of range (expected to be in range of [", -n, ", ",
                 n - 1, "], but got ", dim, ")");
  return static_cast<int>(dim < 0 ? dim + n : dim);
}

Dims wrap_dims(const Dims& dims, int64_t ndim) {
  Dims out;
  uint32_t seen = 0;
  for (int64_t d : dims) {
    const int w = wrap_dim(d, ndim);
    SC_CHECK(!(seen & (1u << w)), "dim ", w, " appears multiple times in the list of dims");
    seen |= 1u << w;
    out.push_back(w);
  }
  return out;
}

bool view_strides(const Dims& sizes, const Dims& strides, const Dims& to, Dims* out) {
  const int64_t n = numel_of(sizes);
  if (n == 0) {
    *out = sizes == to ? strides : contiguous_strides(to);
    return true;
  }
  *out = Dims::filled(to.size(), 1);
  if (sizes.empty()) return numel_of(to) == 1;
  int view_d = to.size() - 1;
  int64_t chunk_base = strides.back();
  int64_t tensor_numel = 1, view_numel = 1;
  // Walk the old dimensions from the fastest; each run that is contiguous in memory must be filled by whole
  // new ones.
  for (int d = sizes.size() - 1; d >= 0; --d) {
    tensor_numel *= sizes[d];
    if (d == 0 || (sizes[d - 1] != 1 && strides[d - 1] != tensor_numel * chunk_base)) {
      while (view_d >= 0 && (view_numel < tensor_numel || to[view_d] == 1)) {
        (*out)[view_d] = view_numel * chunk_base;
        view_numel *= to[view_d];
        --view_d;
      }
      if (view_numel != tensor_numel) return false;
      if (d > 0) {
        chunk_base = strides[d - 1];
        tensor_numel = 1;
        view_numel = 1;
      }
    }
  }
  return view_d == -1;
}

Dims infer_size(const Dims& shape, int64_t numel) {
  Dims out = shape;
  int64_t known = 1;
  int unknown = -1;
  for (int i = 0; i < shape.size(); ++i) {
    if (shape[i] == -1) {
      SC_CHECK(unknown < 0, "only one dimension can be inferred");
      unknown = i;
    } else {
      SC_CHECK(shape[i] >= 0, "invalid shape dimension ", shape[i]);
      SC_CHECK(!__builtin_mul_overflow(known, shape[i], &known), "numel: integer multiplication overflow");
    }
  }
  if (unknown >= 0) {
    SC_CHECK(known != 0 || numel != 0, "cannot reshape tensor of 0 elements into shape ", shape,
             " because the unspecified dimension size -1 can be any value and is ambiguous");
    SC_CHECK(known > 0 && numel % known == 0, "shape '", shape, "' is invalid for input of size ", numel);
    out[unknown] = numel / known;
  } else {
    SC_CHECK(known == numel, "shape '", shape, "' is invalid for input of size ", numel);
  }
  return out;
}

}  // namespace sconce
