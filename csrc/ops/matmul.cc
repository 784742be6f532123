// Matrix and vector products.
#include "matmul.h"

#include "ops.h"

namespace sconce::ops {

static const char* c_type_name(DType t) {
  static constexpr const char* kNames[kNumDTypes] = {"float",         "double", "c10::Half", "c10::BFloat16",
                                                     "long int",      "int",    "short int", "signed char",
                                                     "unsigned char", "bool"};
  return kNames[static_cast<int>(t)];
}

static void check_device(const Tensor& a, const Tensor& b) {
  SC_CHECK(a.device() == b.device(),
           "Expected all tensors to be on the same device, but found at least two devices, ",
           device_name(a.device()), " and ", device_name(b.device()), "!");
}

static void check_not_bool(const Tensor& t, const char* kernel) {
  SC_CHECK(t.dtype() != DType::kBool, "\"", kernel, "\" not implemented for 'Bool'");
}

Tensor product(const Tensor& a, const Tensor& b, const Tensor& c, const Scalar& beta, const Scalar& alpha) {
  const bool batched = a.dim() == 3;
  const int r = batched ? 1 : 0;
  const Dims& sa = a.sizes();
  const Dims& sb = b.sizes();
  Dims out{sa[r], sb[r + 1]};
  if (batched) out.insert(0, sa[0]);
  check_device(a, b);
  Tensor y = empty(out, a.dtype(), a.device());
  ScMatmul q{};
  const bool uses_c = c.defined() && !beta.equals(0);
  if (uses_c) {
    check_device(c, a);
    // A row that is added to every row rides along with the product.
    const Tensor row = c.dim() == 1 && c.size(0) == out.back() && c.stride(0) == 1 && beta.equals(1) &&
                               c.dtype() == a.dtype()
                           ? c
                           : Tensor();
    if (row)
      q.bias = row.data();
    else
      copy_into(y, c.sizes() == out ? c : expand(c.detach(), out));
  }
  if (y.numel() == 0) return y;
  q.dtype = static_cast<int32_t>(a.dtype());
  q.batch = batched ? sa[0] : 1;
  q.m = sa[r];
  q.k = sa[r + 1];
  q.n = sb[r + 1];
  q.a = a.data();
  q.b = b.data();
  q.c = y.data();
  q.a_batch = batched ? a.strides()[0] : 0;
  q.a_row = a.strides()[r];
  q.a_col = a.strides()[r + 1];
  q.b_batch = batched ? b.strides()[0] : 0;
  q.b_row = b.strides()[r];
  q.b_col = b.strides()[r + 1];
  q.c_batch = q.m * q.n;
  q.c_row = q.n;
  q.c_col = 1;
  // Integers take whole factors, as PyTorch does.
  const bool whole = is_integral(a.dtype());
  q.alpha = whole ? static_cast<double>(alpha.to_int()) : alpha.to_double();
  q.beta = !uses_c || q.bias ? 0 : whole ? static_cast<double>(beta.to_int()) : beta.to_double();
  const ScMatmulKernels& kernels = backend_of(a.device()).matmul;
  check_kernel(kernels.matmul ? kernels.matmul(&q) : static_cast<int32_t>(SC_UNSUPPORTED), a.device(),
               "matmul");
  return y;
}

static Tensor scaled(const Tensor& g, const Scalar& by) { return by.equals(1) ? g : g * by; }

// a b, with the memory order of `like`, which has the result's shape: a parameter's gradient comes out in the
// parameter's own order.
static Tensor mm_like(const Tensor& a, const Tensor& b, bool column_major) {
  return column_major ? t(mm(t(b), t(a))) : mm(a, b);
}
static bool is_column_major(const Tensor& x) {
  return x.strides()[0] == 1 && x.strides()[1] == x.sizes()[0] && x.sizes()[0] > 1;
}

// Gradients of c = a b with respect to a and b, from the saved other operand.
static auto left_gradient(const Tensor& a, const Tensor& b, const Scalar& alpha) {
  return [b = saved(b), alpha, order = is_column_major(a)](const Tensor& g) {
    return scaled(mm_like(g, t(b()), order), alpha);
  };
}
static auto right_gradient(const Tensor& a, const Tensor& b, const Scalar& alpha) {
  return [a = saved(a), alpha, order = is_column_major(b)](const Tensor& g) {
    return scaled(mm_like(t(a()), g, order), alpha);
  };
}

Tensor mm(const Tensor& self, const Tensor& mat2) {
  SC_CHECK(self.dim() == 2, "self must be a matrix");
  SC_CHECK(mat2.dim() == 2, "mat2 must be a matrix");
  SC_CHECK(self.sizes()[1] == mat2.sizes()[0], "mat1 and mat2 shapes cannot be multiplied (", self.sizes()[0],
           "x", self.sizes()[1], " and ", mat2.sizes()[0], "x", mat2.sizes()[1], ")");
  SC_CHECK(self.dtype() == mat2.dtype(),
           "expected m1 and m2 to have the same dtype, but got: ", c_type_name(self.dtype()),
           " != ", c_type_name(mat2.dtype()));
  check_not_bool(self, "addmm_impl_cpu_");
  Tensor y = product(self, mat2);
  return differentiable("MmBackward0", y)
      .wrt(self, left_gradient(self, mat2, 1))
      .wrt(mat2, right_gradient(self, mat2, 1))
      .jvp([&](const TensorList& t) {
        return sum_of_defined({t[0] ? mm(t[0], mat2) : t[0], t[1] ? mm(self, t[1]) : t[1]});
      });
}
OP("mm(Tensor self, Tensor mat2) -> Tensor", mm, kFunction | kMethod,
   R"(The product of two matrices: `[n, m]` and `[m, p]` give `[n, p]`. Throws when the shapes or the dtypes do not fit.

See https://docs.pytorch.org/docs/stable/generated/torch.mm.html

@example
torch.tensor([[1, 2], [3, 4]]).mm(torch.tensor([[1, 0], [1, 1]])) // tensor([[3., 2.],
//         [7., 4.]])
)");

Tensor addmm(const Tensor& self, const Tensor& mat1, const Tensor& mat2, const Scalar& beta,
             const Scalar& alpha) {
  SC_CHECK(mat1.dim() == 2, "mat1 must be a matrix, got ", mat1.dim(), "-D tensor");
  SC_CHECK(mat2.dim() == 2, "mat2 must be a matrix, got ", mat2.dim(), "-D tensor");
  SC_CHECK(mat1.sizes()[1] == mat2.sizes()[0], "mat1 and mat2 shapes cannot be multiplied (", mat1.sizes()[0],
           "x", mat1.sizes()[1], " and ", mat2.sizes()[0], "x", mat2.sizes()[1], ")");
  SC_CHECK(self.dtype() == mat2.dtype(), "self and mat2 must have the same dtype, but got ",
           scalar_type_name(self.dtype()), " and ", scalar_type_name(mat2.dtype()));
  SC_CHECK(mat1.dtype() == mat2.dtype(), "mat1 and mat2 must have the same dtype, but got ",
           scalar_type_name(mat1.dtype()), " and ", scalar_type_name(mat2.dtype()));
  check_not_bool(mat1, "addmm_impl_cpu_");
  const Dims out{mat1.sizes()[0], mat2.sizes()[1]};
  if (self.sizes() != out) expand(self.detach(), out);  // throws PyTorch's text
  Tensor y = product(mat1, mat2, self, beta, alpha);
  return differentiable("AddmmBackward0", y)
      .wrt(self, [beta](const Tensor& g) { return scaled(g, beta); })
      .wrt(mat1, left_gradient(mat1, mat2, alpha))
      .wrt(mat2, right_gradient(mat1, mat2, alpha))
      .jvp([&](const TensorList& t) {
        return sum_of_defined({t[0] ? scaled(t[0], beta) : t[0], t[1] ? scaled(mm(t[1], mat2), alpha) : t[1],
                               t[2] ? scaled(mm(mat1, t[2]), alpha) : t[2]});
      });
}
OP("addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor", addmm,
   kFunction | kMethod | kInPlace | kReadsFirst,
   R"(A matrix product added to a tensor that broadcasts to its shape: `beta * self + alpha * (mat1 @ mat2)`. With `beta` 0 the values of `self` are ignored.

Throws when the shapes or the dtypes do not fit.

See https://docs.pytorch.org/docs/stable/generated/torch.addmm.html

@example
torch.addmm(torch.tensor([1, 1]), torch.tensor([[1, 2]]), torch.tensor([[1, 0], [0, 1]])) // tensor([[2., 3.]])
)");

static void check_batches(const Tensor& batch1, const Tensor& batch2) {
  SC_CHECK(batch1.dim() == 3, "batch1 must be a 3D tensor");
  SC_CHECK(batch2.dim() == 3, "batch2 must be a 3D tensor");
  const Dims want{batch1.sizes()[0], batch1.sizes()[2]}, have{batch2.sizes()[0], batch2.sizes()[1]};
  SC_CHECK(want == have, "Expected size for first two dimensions of batch2 tensor to be: ", want,
           " but got: ", have, ".");
}

static Tensor transposed(const Tensor& x) { return transpose(x, -2, -1); }

Tensor bmm(const Tensor& self, const Tensor& mat2) {
  check_batches(self, mat2);
  check_not_bool(self, "bmm");
  SC_CHECK(self.dtype() == mat2.dtype(), "expected scalar type ", scalar_type_name(self.dtype()),
           " but found ", scalar_type_name(mat2.dtype()));
  Tensor y = product(self, mat2);
  return differentiable("BmmBackward0", y)
      .wrt(self, [mat2 = saved(mat2)](const Tensor& g) { return bmm(g, transposed(mat2())); })
      .wrt(mat2, [self = saved(self)](const Tensor& g) { return bmm(transposed(self()), g); })
      .jvp([&](const TensorList& t) {
        return sum_of_defined({t[0] ? bmm(t[0], mat2) : t[0], t[1] ? bmm(self, t[1]) : t[1]});
      });
}
OP("bmm(Tensor self, Tensor mat2) -> Tensor", bmm, kFunction | kMethod,
   R"(The products of a batch of matrices: `[b, n, m]` and `[b, m, p]` give `[b, n, p]`. Throws when the shapes or the dtypes do not fit.

See https://docs.pytorch.org/docs/stable/generated/torch.bmm.html

@example
torch.tensor([[[1, 2]]]).bmm(torch.tensor([[[3], [4]]])) // tensor([[[11.]]])
)");

Tensor baddbmm(const Tensor& self, const Tensor& batch1, const Tensor& batch2, const Scalar& beta,
               const Scalar& alpha) {
  SC_CHECK(batch1.dim() == 3, "batch1 must be a 3D tensor");
  SC_CHECK(batch2.dim() == 3, "batch2 must be a 3D tensor");
  const Dims out{batch1.sizes()[0], batch1.sizes()[1], batch2.sizes()[2]};
  if (self.sizes() != out) expand(self.detach(), out);  // throws PyTorch's text
  check_batches(batch1, batch2);
  SC_CHECK(self.dtype() == batch1.dtype() || batch1.dtype() != batch2.dtype(),
           "Input dtypes must be the same, got: input ", c_type_name(self.dtype()),
           ", batch1: ", c_type_name(batch1.dtype()), ", batch2: ", c_type_name(batch2.dtype()));
  check_not_bool(batch1, "baddbmm");
  SC_CHECK(batch1.dtype() == batch2.dtype(), "expected scalar type ", scalar_type_name(batch1.dtype()),
           " but found ", scalar_type_name(batch2.dtype()));
  Tensor y = product(batch1, batch2, self, beta, alpha);
  return differentiable("BaddbmmBackward0", y)
      .wrt(self, [beta](const Tensor& g) { return scaled(g, beta); })
      .wrt(batch1, [batch2 = saved(batch2),
                    alpha](const Tensor& g) { return scaled(bmm(g, transposed(batch2())), alpha); })
      .wrt(batch2, [batch1 = saved(batch1), alpha](const Tensor& g) {
        return scaled(bmm(transposed(batch1()), g), alpha);
      });
}
OP("baddbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor", baddbmm,
   kFunction | kMethod | kInPlace | kReadsFirst,
   R"(The products of a batch of matrices added to a tensor that broadcasts to their shape: `beta * self + alpha * (batch1 @ batch2)`.

Throws when the shapes or the dtypes do not fit.

See https://docs.pytorch.org/docs/stable/generated/torch.baddbmm.html

@example
torch.baddbmm(torch.tensor([10]), torch.tensor([[[1, 2]]]), torch.tensor([[[3], [4]]])) // tensor([[[21.]]])
)");

static Tensor addbmm(const Tensor& self, const Tensor& batch1, const Tensor& batch2, const Scalar& beta,
                     const Scalar& alpha) {
  SC_CHECK(batch1.dim() == 3, "batch1 must be a 3D tensor");
  SC_CHECK(batch2.dim() == 3, "batch2 must be a 3D tensor");
  SC_CHECK(batch1.sizes()[0] == batch2.sizes()[0], "batch1 and batch2 must have same number of batches, got ",
           batch1.sizes()[0], " and ", batch2.sizes()[0]);
  SC_CHECK(batch1.sizes()[2] == batch2.sizes()[1], "Incompatible matrix sizes for bmm (", batch1.sizes()[1],
           "x", batch1.sizes()[2], " and ", batch2.sizes()[1], "x", batch2.sizes()[2], ")");
  // The sum over the batch is one product along the batch and the inner dimension together.
  const int64_t n = batch1.sizes()[1], p = batch2.sizes()[2], inner = batch1.sizes()[0] * batch1.sizes()[2];
  return addmm(self, reshape(transpose(batch1, 0, 1), {n, inner}), reshape(batch2, {inner, p}), beta, alpha);
}
OP("addbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor", addbmm,
   kFunction | kMethod | kInPlace | kReadsFirst,
   R"(The sum of the products of a batch of matrices, added to a tensor: `beta * self + alpha * sum_i(batch1[i] @ batch2[i])`.

Throws when the shapes or the dtypes do not fit.

See https://docs.pytorch.org/docs/stable/generated/torch.addbmm.html

@example
torch.addbmm(torch.tensor([[0]]), torch.tensor([[[1, 2]], [[1, 1]]]), torch.tensor([[[3], [4]], [[5], [6]]])) // tensor([[22.]])
)");

// ---- vectors ----
static Tensor column(const Tensor& v) {
  return alias_of(v, {v.sizes()[0], 1}, {v.strides()[0], 1}, v.storage_offset());
}
static Tensor row(const Tensor& v) {
  return alias_of(v, {1, v.sizes()[0]}, {v.sizes()[0], v.strides()[0]}, v.storage_offset());
}
static Tensor flat(const Tensor& m) { return alias_of(m, {m.numel()}, {1}, m.storage_offset()); }

Tensor mv(const Tensor& self, const Tensor& vec) {
  SC_CHECK(self.dim() == 2 && vec.dim() == 1, "vector + matrix @ vector expected, got 1, ", self.dim(), ", ",
           vec.dim());
  SC_CHECK(self.sizes()[1] == vec.sizes()[0], "size mismatch, got input (", self.sizes()[0], "), mat (",
           self.sizes()[0], "x", self.sizes()[1], "), vec (", vec.sizes()[0], ")");
  SC_CHECK(self.dtype() == vec.dtype(), "addmv input tensors must have the same dtype, but got ",
           scalar_type_name(vec.dtype()), ", ", scalar_type_name(self.dtype()), ", and ",
           scalar_type_name(vec.dtype()));
  check_not_bool(self, "addmv_impl_cpu");
  Tensor y = flat(product(self, column(vec)));
  return differentiable("MvBackward0", y)
      .wrt(self, [vec = saved(vec)](const Tensor& g) { return outer(g, vec()); })
      .wrt(vec, [self = saved(self)](const Tensor& g) { return mv(t(self()), g); })
      .jvp([&](const TensorList& t) {
        return sum_of_defined({t[0] ? mv(t[0], vec) : t[0], t[1] ? mv(self, t[1]) : t[1]});
      });
}
OP("mv(Tensor self, Tensor vec) -> Tensor", mv, kFunction | kMethod,
   R"(The product of a matrix and a vector: `[n, m]` and `[m]` give `[n]`. Throws when the shapes or the dtypes do not fit.

See https://docs.pytorch.org/docs/stable/generated/torch.mv.html

@example
torch.tensor([[1, 2], [3, 4]]).mv(torch.tensor([1, 1])) // tensor([3., 7.])
)");

static Tensor addmv(const Tensor& self, const Tensor& mat, const Tensor& vec, const Scalar& beta,
                    const Scalar& alpha) {
  SC_CHECK(mat.dim() == 2 && vec.dim() == 1 && self.dim() <= 1, "vector + matrix @ vector expected, got ",
           self.dim(), ", ", mat.dim(), ", ", vec.dim());
  const int64_t n = self.numel();
  SC_CHECK(mat.sizes()[1] == vec.sizes()[0] && (mat.sizes()[0] == n || n == 1), "size mismatch, got input (",
           n, "), mat (", mat.sizes()[0], "x", mat.sizes()[1], "), vec (", vec.sizes()[0], ")");
  SC_CHECK(self.dtype() == mat.dtype() && mat.dtype() == vec.dtype(),
           "addmv input tensors must have the same dtype, but got ", scalar_type_name(self.dtype()), ", ",
           scalar_type_name(mat.dtype()), ", and ", scalar_type_name(vec.dtype()));
  check_not_bool(mat, "addmv_impl_cpu");
  const Tensor base = expand(self.detach(), {mat.sizes()[0]});
  Tensor y = flat(product(mat, column(vec), column(base), beta, alpha));
  return differentiable("AddmvBackward0", y)
      .wrt(self, [beta](const Tensor& g) { return scaled(g, beta); })
      .wrt(mat, [vec = saved(vec), alpha](const Tensor& g) { return scaled(outer(g, vec()), alpha); })
      .wrt(vec, [mat = saved(mat), alpha](const Tensor& g) { return scaled(mv(t(mat()), g), alpha); });
}
OP("addmv(Tensor self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1) -> Tensor", addmv,
   kFunction | kMethod | kInPlace | kReadsFirst,
   R"(The product of a matrix and a vector, added to a vector: `beta * self + alpha * (mat @ vec)`. Throws when the shapes or the dtypes do not fit.

See https://docs.pytorch.org/docs/stable/generated/torch.addmv.html

@example
torch.addmv(torch.tensor([1, 1]), torch.tensor([[1, 2], [3, 4]]), torch.tensor([1, 1])) // tensor([4., 8.])
)");

static Tensor dot_product(const char* node, const Tensor& self, const Tensor& other) {
  SC_CHECK(self.dim() == 1 && other.dim() == 1, "1D tensors expected, but got ", self.dim(), "D and ",
           other.dim(), "D tensors");
  SC_CHECK(self.dtype() == other.dtype(), "dot : expected both vectors to have same dtype, but found ",
           scalar_type_name(self.dtype()), " and ", scalar_type_name(other.dtype()));
  SC_CHECK(self.numel() == other.numel(), "inconsistent tensor size, expected tensor ", self.sizes(),
           " and src ", other.sizes(), " to have the same number of elements, but got ", self.numel(),
           " and ", other.numel(), " elements respectively");
  check_not_bool(self, "dot");
  Tensor p = product(row(self), column(other));
  Tensor y = alias_of(p, {}, {}, p.storage_offset());
  return differentiable(node, y)
      .wrt(self, [other = saved(other)](const Tensor& g) { return g * other(); })
      .wrt(other, [self = saved(self)](const Tensor& g) { return g * self(); });
}

Tensor dot(const Tensor& self, const Tensor& tensor) { return dot_product("DotBackward0", self, tensor); }
OP("dot(Tensor self, Tensor tensor) -> Tensor", dot, kFunction | kMethod,
   R"(The dot product of two vectors of one length: `sum(self * tensor)`. Throws when the lengths or the dtypes differ.

See https://docs.pytorch.org/docs/stable/generated/torch.dot.html

@example
torch.tensor([2, 3]).dot(torch.tensor([2, 1])) // tensor(7.)
)");

static Tensor vdot(const Tensor& self, const Tensor& other) {
  return dot_product("VdotBackward0", self, other);
}
OP("vdot(Tensor self, Tensor other) -> Tensor", vdot, kFunction | kMethod,
   R"(The dot product of two vectors; for real numbers the same as `dot`. Throws when the lengths or the dtypes differ.

See https://docs.pytorch.org/docs/stable/generated/torch.vdot.html

@example
torch.vdot(torch.tensor([2, 3]), torch.tensor([2, 1])) // tensor(7.)
)");

Tensor outer(const Tensor& self, const Tensor& vec2) {
  SC_CHECK(self.dim() == 1, "outer: Expected 1-D argument self, but got ", self.dim(), "-D");
  SC_CHECK(vec2.dim() == 1, "outer: Expected 1-D argument vec2, but got ", vec2.dim(), "-D");
  return mul(reshape(self, {self.sizes()[0], 1}), vec2);
}
OP("outer(Tensor self, Tensor vec2) -> Tensor", outer, kFunction | kMethod,
   R"(All products of two vectors' elements: `[n]` and `[m]` give `[n, m]`. The dtype follows type promotion. Throws unless both are vectors.

See https://docs.pytorch.org/docs/stable/generated/torch.outer.html

@example
torch.outer(torch.tensor([1, 2]), torch.tensor([1, 10])) // tensor([[ 1., 10.],
//         [ 2., 20.]])
)");
OP("ger(Tensor self, Tensor vec2) -> Tensor", outer, kFunction | kMethod,
   R"(Another name of `outer`.

See https://docs.pytorch.org/docs/stable/generated/torch.ger.html

@example
torch.ger(torch.tensor([1]), torch.tensor([2, 3])) // tensor([[2., 3.]])
)");

static Tensor addr(const Tensor& self, const Tensor& vec1, const Tensor& vec2, const Scalar& beta,
                   const Scalar& alpha) {
  SC_CHECK(vec1.dim() == 1, "addr: Expected 1-D argument vec1, but got ", vec1.dim(), "-D");
  SC_CHECK(vec2.dim() == 1, "addr: Expected 1-D argument vec2, but got ", vec2.dim(), "-D");
  const Tensor base = expand(self, {vec1.sizes()[0], vec2.sizes()[0]});
  const Tensor product = scaled(outer(vec1, vec2), alpha);
  return beta.equals(0) ? product : add(scaled(base, beta), product);
}
OP("addr(Tensor self, Tensor vec1, Tensor vec2, *, Scalar beta=1, Scalar alpha=1) -> Tensor", addr,
   kFunction | kMethod | kInPlace,
   R"(All products of two vectors' elements, added to a matrix: `beta * self + alpha * outer(vec1, vec2)`. Throws when the shapes do not fit.

See https://docs.pytorch.org/docs/stable/generated/torch.addr.html

@example
torch.addr(torch.tensor([[1, 1]]), torch.tensor([2]), torch.tensor([3, 4])) // tensor([[7., 9.]])
)");

// ---- any number of dimensions ----

// A new shape for a fresh result that nothing else refers to.
static Tensor unsafe_view(const Tensor& self, const Dims& shape) {
  Tensor y = alias_of(self, shape, contiguous_strides(shape), self.storage_offset());
  return differentiable("UnsafeViewBackward0", y).wrt(self, [sizes = self.sizes()](const Tensor& g) {
    return reshape(g, sizes);
  });
}

Tensor matmul(const Tensor& self, const Tensor& other) {
  const int da = self.dim(), db = other.dim();
  SC_CHECK(da != 0 && db != 0, "both arguments to matmul need to be at least 1D, but they are ", da, "D and ",
           db, "D");
  if (da == 1 && db == 1) return dot(self, other);
  if (da == 2 && db == 1) return mv(self, other);
  if (da == 1 && db == 2) return squeeze_dim(mm(unsqueeze(self, 0), other), 0);
  if (da == 2 && db == 2) return mm(self, other);
  if (db <= 2) {  // one matrix for all: the batch becomes rows
    Dims out = self.sizes();
    const int64_t inner = self.sizes().back();
    const Tensor rows =
        reshape(self, {inner ? self.numel() / inner : numel_of(Dims(out.data(), da - 1)), inner});
    out.erase(da - 1);
    if (db == 1) return unsafe_view(mv(rows, other), out);
    out.push_back(other.sizes()[1]);
    return unsafe_view(mm(rows, other), out);
  }
  const Tensor a = da == 1 ? unsqueeze(self, 0) : self;
  const Tensor& b = other;
  const int na = a.dim(), nb = b.dim();
  const Dims batch = broadcast_shapes(Dims(a.sizes().data(), na - 2), Dims(b.sizes().data(), nb - 2));
  const int64_t n = a.sizes()[na - 2], inner = a.sizes()[na - 1], p = b.sizes()[nb - 1],
                count = numel_of(batch);
  Dims ea = batch, eb = batch, out = batch;
  ea.push_back(n);
  ea.push_back(inner);
  eb.push_back(b.sizes()[nb - 2]);
  eb.push_back(p);
  if (da > 1) out.push_back(n);
  out.push_back(p);
  const Tensor product =
      bmm(reshape(expand(a, ea), {count, n, inner}), reshape(expand(b, eb), {count, b.sizes()[nb - 2], p}));
  return unsafe_view(product, out);
}
OP("matmul(Tensor self, Tensor other) -> Tensor", matmul, kFunction | kMethod,
   R"(The matrix product of two tensors; leading dimensions are batches that broadcast.

Two vectors give their dot product, a matrix and a vector their product; a vector counts as a row on the left and as a column on the right.
Throws when the inner sizes differ, the batches do not broadcast or the dtypes differ.

See https://docs.pytorch.org/docs/stable/generated/torch.matmul.html

@example
torch.tensor([[1, 2], [3, 4]]).matmul(torch.tensor([1, 1])) // tensor([3., 7.])
torch.ones(2, 3, 4).matmul(torch.ones(4, 5)).shape // [2, 3, 5]
)");

Tensor linear(const Tensor& input, const Tensor& weight, const Tensor& bias) {
  const int n = input.dim();
  if (!bias) return matmul(input, t(weight));
  if (n == 2) return addmm(bias, input, t(weight), 1, 1);
  SC_CHECK(n > 0, "both arguments to linear need to be at least 1D, but they are 0D and ", weight.dim(), "D");
  Dims out = input.sizes();
  const int64_t inner = out.back();
  out.erase(n - 1);
  const Tensor rows = reshape(input, {numel_of(out), inner});
  const Tensor y = addmm(bias, rows, t(weight), 1, 1);
  out.push_back(y.sizes()[1]);
  return view(y, out);
}
OP("linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor", linear, kNN,
   R"(A linear map of the last dimension: `input @ weight.T + bias`; `[..., in]`, `[out, in]` and `[out]` give `[..., out]`.

Throws when the shapes or the dtypes do not fit.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.linear.html

@example
torch.nn.functional.linear(torch.tensor([1, 2]), torch.tensor([[3, 4]]), torch.tensor([1])) // tensor([12.])
)");

Tensor tensordot_dims(const Tensor& self, const Tensor& other, const IntList& dims_self,
                      const IntList& dims_other) {
  SC_CHECK(dims_self.size() == dims_other.size(), "both dimension lists should have same length");
  const Dims a = wrap_dims(dims_self, self.dim()), b = wrap_dims(dims_other, other.dim());
  int64_t inner = 1;
  Dims order_a, order_b = b, out;
  int64_t rows = 1, columns = 1;
  for (int i = 0; i < a.size(); ++i) {
    const int64_t sa = self.sizes()[static_cast<int>(a[i])], sb = other.sizes()[static_cast<int>(b[i])];
    SC_CHECK(sa == sb, "contracted dimensions need to match, but first has size ", sa, " in dim ",
             dims_self[static_cast<size_t>(i)], " and second has size ", sb, " in dim ",
             dims_other[static_cast<size_t>(i)]);
    inner *= sa;
  }
  const auto has = [](const Dims& d, int x) {
    for (int64_t v : d)
      if (v == x) return true;
    return false;
  };
  for (int i = 0; i < self.dim(); ++i)
    if (!has(a, i)) {
      order_a.push_back(i);
      out.push_back(self.sizes()[i]);
      rows *= self.sizes()[i];
    }
  for (int64_t v : a) order_a.push_back(v);
  for (int i = 0; i < other.dim(); ++i)
    if (!has(b, i)) {
      order_b.push_back(i);
      out.push_back(other.sizes()[i]);
      columns *= other.sizes()[i];
    }
  const Tensor x = permute(self, order_a), y = permute(other, order_b);
  if (out.empty()) return view(dot(reshape(x, {inner}), reshape(y, {inner})), out);
  return view(mm(reshape(x, {rows, inner}), reshape(y, {inner, columns})), out);
}

static Tensor tensordot(const Tensor& self, const Tensor& other, int64_t dims) {
  SC_CHECK(dims >= 0, "tensordot expects dims >= 0, but got dims=", dims);
  SC_CHECK(
      dims <= self.dim() && dims <= other.dim(),
      "tensordot expects dims to be at most the number of dimensions of both tensors, but got dims=", dims);
  IntList a, b;
  for (int64_t i = 0; i < dims; ++i) {
    a.push_back(i - dims);
    b.push_back(i);
  }
  return tensordot_dims(self, other, a, b);
}
OP("tensordot(Tensor self, Tensor other, int dims=2) -> Tensor", tensordot, kFunction,
   R"(Sums products over several dimensions of two tensors: the last `dims` of `self` with the first `dims` of `other`, or those in the two lists.

Throws when the contracted sizes differ.

See https://docs.pytorch.org/docs/stable/generated/torch.tensordot.html

@example
torch.tensordot(torch.tensor([[1, 2], [3, 4]]), torch.tensor([[1, 1], [1, 1]])) // tensor(10.)
torch.tensordot(torch.ones(2, 3), torch.ones(2, 4), [0], [0]).shape // [3, 4]
)");
OP("tensordot.lists(Tensor self, Tensor other, int[] dims_self, int[] dims_other) -> Tensor", tensordot_dims,
   kFunction, "");

static Tensor inner(const Tensor& self, const Tensor& other) {
  if (self.dim() == 0 || other.dim() == 0) return mul(self, other);
  SC_CHECK(self.size(-1) == other.size(-1),
           "inner() the last dimension must match on both input tensors but got shapes ", self.sizes(),
           " and ", other.sizes());
  return tensordot_dims(self, other, {-1}, {-1});
}
OP("inner(Tensor self, Tensor other) -> Tensor", inner, kFunction | kMethod,
   R"(Sums products over the last dimension of both tensors; for vectors their dot product. Throws when the last sizes differ.

See https://docs.pytorch.org/docs/stable/generated/torch.inner.html

@example
torch.inner(torch.tensor([1, 2]), torch.tensor([3, 4])) // tensor(11.)
)");

}  // namespace sconce::ops
