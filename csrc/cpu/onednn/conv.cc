// float32 convolutions through oneDNN, computed on channels-last activations.
#include <cstring>
#include <dnnl.hpp>
#include <memory>
#include <string>
#include <unordered_map>

#include "core/device.h"
#include "core/parallel.h"
#include "onednn.h"
#include "primitive.h"

namespace sconce::onednn {
namespace {
using dnnl::memory;
using dim = memory::dim;
using dims = memory::dims;

// One tensor of a prepared primitive: the caller's layout, the primitive's, and the way between them.
struct Operand {
  memory::desc user, inner;
  dnnl::reorder in, out;
  bool same = true;
  Operand() = default;
  Operand(const memory::desc& u, const memory::desc& i, bool read) : user(u), inner(i), same(u == i) {
    if (same) return;
    if (read)
      in = dnnl::reorder({engine(), user, engine(), inner});
    else
      out = dnnl::reorder({engine(), inner, engine(), user});
  }
  // What the primitive reads.
  memory input(void* p, Workspace& w) const {
    memory from(user, engine(), p);
    if (same) return from;
    memory to(inner, engine(), w.get(inner.get_size()));
    in.execute(stream(), const_cast<memory&>(from), to);
    return to;
  }
  // What it writes; finish() brings it to the caller.
  memory output(void* p, Workspace& w) const {
    return memory(inner, engine(), same ? p : w.get(inner.get_size()));
  }
  void finish(const memory& m, void* p) const {
    if (same) return;
    memory from = m, to(user, engine(), p);
    out.execute(stream(), from, to);
  }
};

struct Prepared {
  dnnl::primitive primitive;
  Operand x, w, y;
  memory::desc bias, scratchpad;
};

// Prepared primitives per thread, found by everything that shapes them.
class Cache {
 public:
  template <class Make>
  const Prepared* find(char kind, const ScConv& c, const Make& make) {
    ScConv k;
    memset(&k, 0, sizeof k);  // padding bytes too: the key is compared as bytes
    k.dtype = c.dtype;
    k.batch = c.batch;
    k.groups = c.groups;
    k.in_channels = c.in_channels;
    k.out_channels = c.out_channels;
    for (int i = 0; i < 2; ++i) {
      k.in[i] = c.in[i];
      k.out[i] = c.out[i];
      k.kernel[i] = c.kernel[i];
      k.stride[i] = c.stride[i];
      k.dilation[i] = c.dilation[i];
      k.padding[i] = c.padding[i];
    }
    for (int i = 0; i < 4; ++i) {
      k.x_strides[i] = c.x_strides[i];
      k.y_strides[i] = c.y_strides[i];
      k.w_strides[i] = c.w_strides[i];
    }
    std::string key(reinterpret_cast<const char*>(&k), sizeof k);
    key += kind;
    key += c.bias ? 'b' : ' ';
    key += static_cast<char>(num_threads());
    auto it = map_.find(key);
    if (it != map_.end()) return it->second.get();
    if (map_.size() >= kLimit) map_.clear();
    std::unique_ptr<Prepared> p;
    try {
      p = std::make_unique<Prepared>(make());
    } catch (const dnnl::error&) {
      p = nullptr;  // remembered: the portable kernel serves this shape
    }
    return (map_[key] = std::move(p)).get();
  }

 private:
  static constexpr size_t kLimit = 1024;
  std::unordered_map<std::string, std::unique_ptr<Prepared>> map_;
};
Cache& cache() {
  static thread_local Cache c;
  return c;
}

struct Shapes {
  dims x, w, y, stride, dilation, before, after;
  memory::desc user_x, user_w, user_y, x_desc, w_any, y_desc, bias;
  // The stride of a dimension of size 1 says nothing: written as channels-last has it, equal layouts compare
  // equal.
  static dims strides(const dims& n, const int64_t* s) {
    const dim last[4] = {n[1] * n[2] * n[3], 1, n[1] * n[3], n[1]};
    dims r(4);
    for (size_t i = 0; i < 4; ++i) r[i] = n[i] == 1 ? last[i] : s[i];
    return r;
  }
  explicit Shapes(const ScConv& c) {
    const auto f32 = memory::data_type::f32;
    x = {c.batch, c.in_channels, c.in[0], c.in[1]};
    y = {c.batch, c.out_channels, c.out[0], c.out[1]};
    dims ws{c.w_strides[0], c.w_strides[1], c.w_strides[2], c.w_strides[3]};
    if (c.groups > 1) {
      w = {c.groups, c.out_channels / c.groups, c.in_channels / c.groups, c.kernel[0], c.kernel[1]};
      ws.insert(ws.begin(), c.w_strides[0] * (c.out_channels / c.groups));
    } else {
      w = {c.out_channels, c.in_channels, c.kernel[0], c.kernel[1]};
    }
    for (int i = 0; i < 2; ++i) {
      stride.push_back(c.stride[i]);
      dilation.push_back(c.dilation[i] - 1);
      before.push_back(c.padding[i]);
      after.push_back((c.out[i] - 1) * c.stride[i] + (c.kernel[i] - 1) * c.dilation[i] + 1 - c.in[i] -
                      c.padding[i]);
    }
    user_x = memory::desc(x, f32, strides(x, c.x_strides));
    user_y = memory::desc(y, f32, strides(y, c.y_strides));
    user_w = memory::desc(w, f32, ws);
    x_desc = memory::desc(x, f32, memory::format_tag::nhwc);
    y_desc = memory::desc(y, f32, memory::format_tag::nhwc);
    w_any = memory::desc(w, f32, memory::format_tag::any);
    bias = c.bias ? memory::desc({c.out_channels}, f32, memory::format_tag::a) : memory::desc();
  }
};

using Forward = dnnl::convolution_forward;
using BackwardData = dnnl::convolution_backward_data;
using BackwardWeights = dnnl::convolution_backward_weights;
constexpr auto kDirect = dnnl::algorithm::convolution_direct;

Forward::primitive_desc forward_desc(const Shapes& s) {
  const auto kind = dnnl::prop_kind::forward_training;
  const Forward::desc d = s.bias.data.ndims ? Forward::desc(kind, kDirect, s.x_desc, s.w_any, s.bias,
                                                            s.y_desc, s.stride, s.dilation, s.before, s.after)
                                            : Forward::desc(kind, kDirect, s.x_desc, s.w_any, s.y_desc,
                                                            s.stride, s.dilation, s.before, s.after);
  return Forward::primitive_desc(d, attributes(), engine());
}

bool serves(const ScConv& c) {
  return c.dtype == SC_FLOAT32 && c.batch > 0 && c.in_channels > 0 && c.in[0] > 0 && c.in[1] > 0;
}

template <class F>
int32_t guarded(const F& run) {
  try {
    return run();
  } catch (const dnnl::error&) {
    return SC_UNSUPPORTED;
  }
}
}  // namespace

int32_t conv_forward(const ScConv* args) {
  const ScConv& c = *args;
  if (!serves(c)) return SC_UNSUPPORTED;
  return guarded([&] {
    const Prepared* p = cache().find('f', c, [&] {
      const Shapes s(c);
      const auto pd = forward_desc(s);
      return Prepared{Forward(pd),
                      Operand(s.user_x, pd.src_desc(), true),
                      Operand(s.user_w, pd.weights_desc(), true),
                      Operand(s.user_y, pd.dst_desc(), false),
                      s.bias,
                      pd.scratchpad_desc()};
    });
    if (!p) return static_cast<int32_t>(SC_UNSUPPORTED);
    Workspace wx, ww, wy, ws;
    const memory y = p->y.output(c.y, wy);
    std::unordered_map<int, memory> arguments{
        {DNNL_ARG_SRC, p->x.input(c.x, wx)},
        {DNNL_ARG_WEIGHTS, p->w.input(c.w, ww)},
        {DNNL_ARG_DST, y},
        {DNNL_ARG_SCRATCHPAD, memory(p->scratchpad, engine(), ws.get(p->scratchpad.get_size()))}};
    if (c.bias) arguments.emplace(DNNL_ARG_BIAS, memory(p->bias, engine(), c.bias));
    p->primitive.execute(stream(), arguments);
    p->y.finish(y, c.y);
    return static_cast<int32_t>(SC_OK);
  });
}

int32_t conv_backward_data(const ScConv* args) {
  const ScConv& c = *args;
  if (!serves(c)) return SC_UNSUPPORTED;
  return guarded([&] {
    const Prepared* p = cache().find('d', c, [&] {
      const Shapes s(c);
      const BackwardData::desc d(kDirect, s.x_desc, s.w_any, s.y_desc, s.stride, s.dilation, s.before,
                                 s.after);
      const BackwardData::primitive_desc pd(d, attributes(), engine(), forward_desc(s));
      return Prepared{BackwardData(pd),
                      Operand(s.user_x, pd.diff_src_desc(), false),
                      Operand(s.user_w, pd.weights_desc(), true),
                      Operand(s.user_y, pd.diff_dst_desc(), true),
                      {},
                      pd.scratchpad_desc()};
    });
    if (!p) return static_cast<int32_t>(SC_UNSUPPORTED);
    Workspace wx, ww, wy, ws;
    const memory x = p->x.output(c.x, wx);
    p->primitive.execute(
        stream(), {{DNNL_ARG_DIFF_SRC, x},
                   {DNNL_ARG_WEIGHTS, p->w.input(c.w, ww)},
                   {DNNL_ARG_DIFF_DST, p->y.input(c.y, wy)},
                   {DNNL_ARG_SCRATCHPAD, memory(p->scratchpad, engine(), ws.get(p->scratchpad.get_size()))}});
    p->x.finish(x, c.x);
    return static_cast<int32_t>(SC_OK);
  });
}

int32_t conv_backward_weights(const ScConv* args) {
  const ScConv& c = *args;
  if (!serves(c)) return SC_UNSUPPORTED;
  return guarded([&] {
    const Prepared* p = cache().find('w', c, [&] {
      const Shapes s(c);
      const BackwardWeights::desc d =
          c.bias ? BackwardWeights::desc(kDirect, s.x_desc, s.w_any, s.bias, s.y_desc, s.stride, s.dilation,
                                         s.before, s.after)
                 : BackwardWeights::desc(kDirect, s.x_desc, s.w_any, s.y_desc, s.stride, s.dilation, s.before,
                                         s.after);
      const BackwardWeights::primitive_desc pd(d, attributes(), engine(), forward_desc(s));
      return Prepared{BackwardWeights(pd),
                      Operand(s.user_x, pd.src_desc(), true),
                      Operand(s.user_w, pd.diff_weights_desc(), false),
                      Operand(s.user_y, pd.diff_dst_desc(), true),
                      s.bias,
                      pd.scratchpad_desc()};
    });
    if (!p) return static_cast<int32_t>(SC_UNSUPPORTED);
    Workspace wx, ww, wy, ws;
    const memory w = p->w.output(c.w, ww);
    std::unordered_map<int, memory> arguments{
        {DNNL_ARG_SRC, p->x.input(c.x, wx)},
        {DNNL_ARG_DIFF_WEIGHTS, w},
        {DNNL_ARG_DIFF_DST, p->y.input(c.y, wy)},
        {DNNL_ARG_SCRATCHPAD, memory(p->scratchpad, engine(), ws.get(p->scratchpad.get_size()))}};
    if (c.bias) arguments.emplace(DNNL_ARG_DIFF_BIAS, memory(p->bias, engine(), c.bias));
    p->primitive.execute(stream(), arguments);
    p->w.finish(w, c.w);
    return static_cast<int32_t>(SC_OK);
  });
}

}  // namespace sconce::onednn
