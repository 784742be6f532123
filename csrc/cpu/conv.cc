// Convolution as matrix products over unrolled windows: the portable kernels, which serve every dtype and
// shape.
#include <algorithm>
#include <cstring>
#include <vector>

#include "core/device.h"
#include "core/parallel.h"
#include "cpu/workspace.h"
#include "cpu/onednn/onednn.h"
#include "conv_rows.h"

namespace sconce {
namespace {

struct Shape {
  explicit Shape(const ScConv& c)
      : ic(c.in_channels / c.groups),
        oc(c.out_channels / c.groups),
        taps(c.kernel[0] * c.kernel[1]),
        inner(ic * taps),
        places(c.out[0] * c.out[1]) {}
  int64_t ic, oc;  // channels of one group
  int64_t taps;    // of the kernel
  int64_t inner;   // ic * taps
  int64_t places;  // output positions of one image
};

// The output columns [lo, hi) whose tap at `offset` (kernel column times dilation, less the padding) falls
// inside the input.
void valid_range(int64_t out, int64_t in, int64_t stride, int64_t offset, int64_t* lo, int64_t* hi) {
  *lo = offset < 0 ? std::min(out, (-offset + stride - 1) / stride) : 0;
  *hi = in - offset <= 0 ? 0 : std::min(out, (in - offset + stride - 1) / stride);
  *hi = std::max(*hi, *lo);
}

// Calls body(row, oh, lo, hi, offset of the input at lo) for each row of the unrolled windows of one image
// and group; row is (channel, kh, kw), and columns outside [lo, hi) lie in the padding.
template <class F>
void for_windows(const ScConv& c, const Shape& s, const F& body) {
  for (int64_t i = 0; i < s.ic; ++i)
    for (int64_t kh = 0; kh < c.kernel[0]; ++kh)
      for (int64_t kw = 0; kw < c.kernel[1]; ++kw) {
        const int64_t row = (i * c.kernel[0] + kh) * c.kernel[1] + kw;
        const int64_t offset = kw * c.dilation[1] - c.padding[1];
        int64_t lo, hi;
        valid_range(c.out[1], c.in[1], c.stride[1], offset, &lo, &hi);
        for (int64_t oh = 0; oh < c.out[0]; ++oh) {
          const int64_t ih = oh * c.stride[0] + kh * c.dilation[0] - c.padding[0];
          const bool inside = ih >= 0 && ih < c.in[0];
          const int64_t at =
              i * c.x_strides[1] + ih * c.x_strides[2] + (lo * c.stride[1] + offset) * c.x_strides[3];
          body(row, oh, inside ? lo : c.out[1], inside ? hi : c.out[1], at);
        }
      }
}

// columns [inner, places] = the windows of one image and group; rows are `step_row` apart
template <class T>
void unroll(const ScConv& c, const Shape& s, const T* x, T* columns, int64_t step_row) {
  const int64_t step = c.stride[1] * c.x_strides[3];
  for_windows(c, s, [&](int64_t row, int64_t oh, int64_t lo, int64_t hi, int64_t at) {
    T* to = columns + row * step_row + oh * c.out[1];
    std::fill(to, to + lo, T(0));
    const T* from = x + at;
    if (step == 1) {
      if (hi > lo) memcpy(to + lo, from, static_cast<size_t>(hi - lo) * sizeof(T));
    } else {
      for (int64_t j = lo; j < hi; ++j) to[j] = from[(j - lo) * step];
    }
    std::fill(to + hi, to + c.out[1], T(0));
  });
}

// Its adjoint: adds every window back.
template <class T>
void roll_back(const ScConv& c, const Shape& s, const T* columns, int64_t step_row, T* x) {
  const int64_t step = c.stride[1] * c.x_strides[3];
  for_windows(c, s, [&](int64_t row, int64_t oh, int64_t lo, int64_t hi, int64_t at) {
    const T* from = columns + row * step_row + oh * c.out[1];
    T* to = x + at;
    for (int64_t j = lo; j < hi; ++j) to[(j - lo) * step] = static_cast<T>(to[(j - lo) * step] + from[j]);
  });
}

bool is_plain(const ScConv& c, const Shape& s) {  // w in [out, in, kh, kw] order
  return c.w_strides[3] == 1 && c.w_strides[2] == c.kernel[1] && c.w_strides[1] == s.taps &&
         c.w_strides[0] == s.inner;
}
template <class T, class F>
void for_weights(const ScConv& c, const Shape& s, const F& body) {
  auto* w = static_cast<T*>(c.w);
  int64_t k = 0;
  for (int64_t o = 0; o < c.out_channels; ++o)
    for (int64_t i = 0; i < s.ic; ++i)
      for (int64_t kh = 0; kh < c.kernel[0]; ++kh)
        for (int64_t kw = 0; kw < c.kernel[1]; ++kw)
          body(w[o * c.w_strides[0] + i * c.w_strides[1] + kh * c.w_strides[2] + kw * c.w_strides[3]], k++);
}

ScMatmul matrix(int32_t dtype, int64_t m, int64_t n, int64_t k) {
  ScMatmul q{};
  q.dtype = dtype;
  q.batch = 1;
  q.m = m;
  q.n = n;
  q.k = k;
  q.alpha = 1;
  return q;
}
int32_t run(const ScMatmul& q) { return cpu_backend_mutable().matmul.matmul(&q); }

template <class T>
int32_t forward_typed(const ScConv& c) {
  const Shape s(c);
  WorkspaceOf<T> ordered(is_plain(c, s) ? 0 : c.out_channels * s.inner);
  const T* w = static_cast<T*>(c.w);
  if (!is_plain(c, s)) {
    for_weights<T>(c, s, [&](T v, int64_t k) { ordered.get()[k] = v; });
    w = ordered.get();
  }
  const int64_t flops = std::max<int64_t>(1, c.groups * s.oc * s.inner * s.places);
  parallel_for(0, c.batch, std::max<int64_t>(1, 60000 / flops), [&](int64_t from, int64_t to) {
    WorkspaceOf<T> columns(s.inner * s.places);
    for (int64_t n = from; n < to; ++n)
      for (int64_t g = 0; g < c.groups; ++g) {
        unroll(c, s, static_cast<const T*>(c.x) + n * c.x_strides[0] + g * s.ic * c.x_strides[1],
               columns.get(), s.places);
        T* y = static_cast<T*>(c.y) + n * c.y_strides[0] + g * s.oc * c.y_strides[1];
        if (c.bias) {
          const T* bias = static_cast<const T*>(c.bias) + g * s.oc;
          for (int64_t o = 0; o < s.oc; ++o)
            for (int64_t p = 0; p < s.places; ++p) y[o * c.y_strides[1] + p * c.y_strides[3]] = bias[o];
        }
        ScMatmul q = matrix(c.dtype, s.oc, s.places, s.inner);
        q.a = w + g * s.oc * s.inner;
        q.a_row = s.inner;
        q.a_col = 1;
        q.b = columns.get();
        q.b_row = s.places;
        q.b_col = 1;
        q.c = y;
        q.c_row = c.y_strides[1];
        q.c_col = c.y_strides[3];
        q.beta = c.bias ? 1 : 0;
        run(q);
      }
  });
  return SC_OK;
}

template <class T>
int32_t backward_data_typed(const ScConv& c) {
  const Shape s(c);
  WorkspaceOf<T> ordered(is_plain(c, s) ? 0 : c.out_channels * s.inner);
  const T* w = static_cast<T*>(c.w);
  if (!is_plain(c, s)) {
    for_weights<T>(c, s, [&](T v, int64_t k) { ordered.get()[k] = v; });
    w = ordered.get();
  }
  const int64_t flops = std::max<int64_t>(1, c.groups * s.oc * s.inner * s.places);
  parallel_for(0, c.batch, std::max<int64_t>(1, 60000 / flops), [&](int64_t from, int64_t to) {
    WorkspaceOf<T> columns(s.inner * s.places);
    for (int64_t n = from; n < to; ++n) {
      T* image = static_cast<T*>(c.x) + n * c.x_strides[0];
      std::fill(image, image + c.in_channels * c.in[0] * c.in[1], T(0));  // dense, in whatever order
      for (int64_t g = 0; g < c.groups; ++g) {
        ScMatmul q = matrix(c.dtype, s.inner, s.places, s.oc);
        q.a = w + g * s.oc * s.inner;
        q.a_row = 1;
        q.a_col = s.inner;
        q.b = static_cast<const T*>(c.y) + n * c.y_strides[0] + g * s.oc * c.y_strides[1];
        q.b_row = c.y_strides[1];
        q.b_col = c.y_strides[3];
        q.c = columns.get();
        q.c_row = s.places;
        q.c_col = 1;
        run(q);
        roll_back(c, s, columns.get(), s.places, image + g * s.ic * c.x_strides[1]);
      }
    }
  });
  return SC_OK;
}

template <class T>
int32_t backward_weights_typed(const ScConv& c) {
  const Shape s(c);
  const int64_t count = c.out_channels * s.inner;
  // The batch is cut into pieces by its size alone and their sums are added in order: the same bits for any
  // number of threads.
  const int64_t pieces = std::min<int64_t>(c.batch, 8);
  WorkspaceOf<T> sums(std::max<int64_t>(1, pieces) * count);
  parallel_for(0, pieces, 1, [&](int64_t from, int64_t to) {
    WorkspaceOf<T> columns(s.inner * s.places);
    for (int64_t piece = from; piece < to; ++piece) {
      const int64_t n0 = piece * c.batch / pieces, n1 = (piece + 1) * c.batch / pieces;
      for (int64_t n = n0; n < n1; ++n)
        for (int64_t g = 0; g < c.groups; ++g) {
          unroll(c, s, static_cast<const T*>(c.x) + n * c.x_strides[0] + g * s.ic * c.x_strides[1],
                 columns.get(), s.places);
          ScMatmul q = matrix(c.dtype, s.oc, s.inner, s.places);
          q.a = static_cast<const T*>(c.y) + n * c.y_strides[0] + g * s.oc * c.y_strides[1];
          q.a_row = c.y_strides[1];
          q.a_col = c.y_strides[3];
          q.b = columns.get();
          q.b_row = 1;
          q.b_col = s.places;
          q.c = sums.get() + piece * count + g * s.oc * s.inner;
          q.c_row = s.inner;
          q.c_col = 1;
          q.beta = n == n0 ? 0 : 1;
          run(q);
        }
    }
  });
  for_weights<T>(c, s, [&](T& v, int64_t k) {
    T sum = 0;
    for (int64_t p = 0; p < pieces; ++p) sum = static_cast<T>(sum + sums.get()[p * count + k]);
    v = sum;
  });
  if (c.bias) {
    T* bias = static_cast<T*>(c.bias);
    parallel_for(0, c.out_channels, std::max<int64_t>(1, 30000 / std::max<int64_t>(1, c.batch * s.places)),
                 [&](int64_t from, int64_t to) {
                   for (int64_t o = from; o < to; ++o) {
                     T sum = 0;
                     for (int64_t n = 0; n < c.batch; ++n) {
                       const T* y = static_cast<const T*>(c.y) + n * c.y_strides[0] + o * c.y_strides[1];
                       T part = 0;
                       for (int64_t p = 0; p < s.places; ++p)
                         part = static_cast<T>(part + y[p * c.y_strides[3]]);
                       sum = static_cast<T>(sum + part);
                     }
                     bias[o] = sum;
                   }
                 });
  }
  return SC_OK;
}

// ---- few places, many weights (the last layers of a deep network) ----
// The windows of the whole batch make one product, which reads the weights in their own order; oneDNN would
// rearrange them on every call, which costs more than the product itself.
bool is_deep(const ScConv& c) {
  const Shape s(c);
  return c.groups == 1 && c.batch * s.places <= 128 && s.oc * s.inner >= (1 << 20) && is_plain(c, s);
}

template <class T>
void gather_places(const ScConv& c, const Shape& s, T* flat) {  // y -> [oc, batch * places]
  for (int64_t o = 0; o < s.oc; ++o)
    for (int64_t n = 0; n < c.batch; ++n) {
      const T* y = static_cast<const T*>(c.y) + n * c.y_strides[0] + o * c.y_strides[1];
      for (int64_t p = 0; p < s.places; ++p) *flat++ = y[p * c.y_strides[3]];
    }
}

template <class T>
void unroll_batch(const ScConv& c, const Shape& s, T* columns) {
  const int64_t width = c.batch * s.places;
  for (int64_t n = 0; n < c.batch; ++n)
    unroll(c, s, static_cast<const T*>(c.x) + n * c.x_strides[0], columns + n * s.places, width);
}

ScMatmul plain_product(int32_t dtype, int64_t m, int64_t n, int64_t k, const void* a, bool a_transposed,
                       const void* b, bool b_transposed, void* out) {
  ScMatmul q = matrix(dtype, m, n, k);
  q.a = a;
  q.a_row = a_transposed ? 1 : k;
  q.a_col = a_transposed ? m : 1;
  q.b = b;
  q.b_row = b_transposed ? 1 : n;
  q.b_col = b_transposed ? k : 1;
  q.c = out;
  q.c_row = n;
  q.c_col = 1;
  return q;
}

template <class T>
int32_t deep_forward(const ScConv& c) {
  const Shape s(c);
  const int64_t width = c.batch * s.places;
  WorkspaceOf<T> columns(s.inner * width), flat(s.oc * width);
  unroll_batch(c, s, columns.get());
  if (const int32_t status =
          run(plain_product(c.dtype, s.oc, width, s.inner, c.w, false, columns.get(), false, flat.get())))
    return status;
  const T* from = flat.get();
  for (int64_t o = 0; o < s.oc; ++o) {
    const T bias = c.bias ? static_cast<const T*>(c.bias)[o] : T(0);
    for (int64_t n = 0; n < c.batch; ++n) {
      T* y = static_cast<T*>(c.y) + n * c.y_strides[0] + o * c.y_strides[1];
      for (int64_t p = 0; p < s.places; ++p) y[p * c.y_strides[3]] = *from++ + bias;
    }
  }
  return SC_OK;
}

template <class T>
int32_t deep_backward_weights(const ScConv& c) {
  const Shape s(c);
  const int64_t width = c.batch * s.places;
  WorkspaceOf<T> columns(s.inner * width), flat(s.oc * width);
  unroll_batch(c, s, columns.get());
  gather_places(c, s, flat.get());
  if (c.bias)
    for (int64_t o = 0; o < s.oc; ++o) {
      T sum = 0;
      for (int64_t p = 0; p < width; ++p) sum += flat.get()[o * width + p];
      static_cast<T*>(c.bias)[o] = sum;
    }
  return run(plain_product(c.dtype, s.oc, s.inner, width, flat.get(), false, columns.get(), true, c.w));
}

#define SC_CONV_DEEP(fn)                               \
  if (is_deep(*c)) {                                   \
    if (c->dtype == SC_FLOAT32) return fn<float>(*c);  \
    if (c->dtype == SC_FLOAT64) return fn<double>(*c); \
  }

#define SC_CONV_DTYPES(fn)    \
  switch (c->dtype) {         \
    case SC_FLOAT32:          \
      return fn<float>(*c);   \
    case SC_FLOAT64:          \
      return fn<double>(*c);  \
    case SC_INT64:            \
      return fn<int64_t>(*c); \
    case SC_INT32:            \
      return fn<int32_t>(*c); \
    case SC_INT16:            \
      return fn<int16_t>(*c); \
    case SC_INT8:             \
      return fn<int8_t>(*c);  \
    case SC_UINT8:            \
      return fn<uint8_t>(*c); \
  }                           \
  return SC_UNSUPPORTED

#define SC_CONV_ONEDNN(fn) \
  if (const int32_t status = onednn::fn(c); status != SC_UNSUPPORTED) return status

int32_t forward(const ScConv* c) {
  if (const int32_t status = conv_rows_forward(*c); status != SC_UNSUPPORTED) return status;
  SC_CONV_DEEP(deep_forward)
  SC_CONV_ONEDNN(conv_forward);
  SC_CONV_DTYPES(forward_typed);
}
int32_t backward_data(const ScConv* c) {
  SC_CONV_ONEDNN(conv_backward_data);
  SC_CONV_DTYPES(backward_data_typed);
}
int32_t backward_weights(const ScConv* c) {
  if (const int32_t status = conv_rows_backward_weights(*c); status != SC_UNSUPPORTED) return status;
  SC_CONV_DEEP(deep_backward_weights)
  SC_CONV_ONEDNN(conv_backward_weights);
  SC_CONV_DTYPES(backward_weights_typed);
}
SC_CPU_KERNEL(conv.forward, forward);
SC_CPU_KERNEL(conv.backward_data, backward_data);
SC_CPU_KERNEL(conv.backward_weights, backward_weights);
}  // namespace
}  // namespace sconce
