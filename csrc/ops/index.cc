// index and index_put: several index tensors at once, numpy's rules.
#include <algorithm>

#include "indexing.h"
#include "pointwise.h"

namespace sconce::ops {

namespace {

// One call of index or index_put, resolved.
//
// Masks have become positions, index tensors share one shape, and the result's shape is known: the index
// shape stands where the indexed dimensions were if those are neighbours, otherwise in front.
struct Plan {
  TensorList indices;  // int64, contiguous, of shape `index_shape`; one per entry of `dims`
  Dims dims;           // the indexed dimensions of self, ascending
  Dims index_shape;
  Dims result;
  int at = 0;  // where index_shape stands in the result

  Plan(const Tensor& self, const OptTensorList& given);

  Tensor offsets(const Tensor& table) const {
    Dims sizes, strides;
    for (int64_t d : dims) {
      sizes.push_back(table.sizes()[static_cast<int>(d)]);
      strides.push_back(table.strides()[static_cast<int>(d)]);
    }
    return element_offsets(indices, sizes, strides, true, [this, &sizes](int which, int64_t index) {
      throw_error(ErrorKind::kIndex, str("index ", index, " is out of bounds for dimension ", dims[which],
                                         " with size ", sizes[which]));
    });
  }
  // `rows` has the result's shape.
  RowGeometry geometry(const Tensor& table, const Tensor& rows) const {
    RowGeometry g;
    g.row_stride = 0;
    for (int k = 0; k < index_shape.size(); ++k)
      if (index_shape[k] != 1) g.row_stride = rows.strides()[at + k];
    int k = 0;
    for (int d = 0; d < table.dim(); ++d) {
      if (std::find(dims.begin(), dims.end(), d) != dims.end()) continue;
      if (k == at) k += index_shape.size();
      g.inner(table.sizes()[d], table.strides()[d], rows.strides()[k]);
      ++k;
    }
    return g;
  }
};

Plan::Plan(const Tensor& self, const OptTensorList& given) {
  int d = 0;
  for (size_t i = 0; i < given.size(); ++i) {
    const Tensor& index = given[i];
    if (!index) {
      ++d;
      continue;
    }
    if (index.dtype() == DType::kBool || index.dtype() == DType::kUInt8) {
      SC_CHECK_INDEX(d + index.dim() <= self.dim(), "too many indices for tensor of dimension ", self.dim());
      for (int k = 0; k < index.dim(); ++k)
        SC_CHECK_INDEX(index.sizes()[k] == self.sizes()[d + k], "The shape of the mask ", index.sizes(),
                       " at index ", k, " does not match the shape of the indexed tensor ", self.sizes(),
                       " at index ", d + k);
      Tensor at_ = nonzero_raw(index);
      for (int k = 0; k < index.dim(); ++k) {
        indices.push_back(alias_of(at_, {at_.sizes()[0]}, {at_.strides()[0]}, k));
        dims.push_back(d++);
      }
      continue;
    }
    SC_CHECK_INDEX(index.dtype() == DType::kInt64 || index.dtype() == DType::kInt32,
                   "tensors used as indices must be long, int, byte or bool tensors");
    SC_CHECK_INDEX(d < self.dim(), "too many indices for tensor of dimension ", self.dim());
    indices.push_back(index);
    dims.push_back(d++);
  }
  SC_CHECK_INDEX(d <= self.dim(), "too many indices for tensor of dimension ", self.dim());
  for (const Tensor& index : indices) {
    if (!is_expandable_to(index.sizes(), index_shape) || index.dim() > index_shape.size()) {
      Dims joint = index_shape;
      bool fits = true;
      const Dims& s = index.sizes();
      while (joint.size() < s.size()) joint.insert(0, 1);
      for (int k = 1; k <= s.size(); ++k) {
        int64_t& j = joint[joint.size() - k];
        const int64_t n = s[s.size() - k];
        fits = fits && (j == n || j == 1 || n == 1);
        if (j == 1) j = n;
      }
      if (!fits) {
        std::string shapes;
        for (const Tensor& x : indices) shapes += str(shapes.empty() ? "" : ", ", x.sizes());
        throw_error(ErrorKind::kIndex,
                    "shape mismatch: indexing tensors could not be broadcast together with shapes " + shapes);
      }
      index_shape = joint;
    }
  }
  for (Tensor& index : indices) {
    Tensor x = index;
    if (x.sizes() != index_shape) {
      Dims strides = Dims::filled(index_shape.size(), 0);
      const int lead = index_shape.size() - x.dim();
      for (int k = 0; k < x.dim(); ++k) strides[lead + k] = x.sizes()[k] == 1 ? 0 : x.strides()[k];
      x = alias_of(x, index_shape, strides, x.storage_offset());
    }
    index = index_tensor(x, self.device(), "tensors used as indices must be long, int, byte or bool tensors");
  }
  const bool adjacent = dims.empty() || dims.back() - dims[0] + 1 == dims.size();
  at = adjacent && !dims.empty() ? static_cast<int>(dims[0]) : 0;
  for (int k = 0; k < self.dim(); ++k)
    if (std::find(dims.begin(), dims.end(), k) == dims.end()) result.push_back(self.sizes()[k]);
  for (int k = 0; k < index_shape.size(); ++k) result.insert(at + k, index_shape[k]);
  if (numel_of(index_shape) > 0) {
    for (int64_t k : dims)
      SC_CHECK_INDEX(self.sizes()[static_cast<int>(k)] > 0,
                     "index is out of bounds for dimension with size 0");
  }
}

}  // namespace

Tensor index(const Tensor& self, const OptTensorList& indices) {
  const Plan plan(self, indices);
  if (plan.indices.empty()) return clone(self, MemoryFormat::kContiguous);
  Tensor y = empty(plan.result, self.dtype(), self.device());
  if (y.numel() > 0) take_rows(self, y, plan.offsets(self), plan.geometry(self, y));
  return differentiable("IndexBackward0", y)
      .wrt(self, [kept = saved(indices), shape = self.sizes()](const Tensor& g) {
        OptTensorList at;
        for (const SavedTensor& s : kept) at.push_back(s());
        return index_put(zeros_raw(shape, g.dtype(), g.device()), at, g, true);
      });
}
OP("_index(Tensor self, Tensor?[] indices) -> Tensor", index, kInternal,
   "Elements at the positions that the index tensors give, broadcast together; None keeps a dimension "
   "whole.");

// Writes into `table`, which nobody else holds or whose owner asked for it.
static void put_into(const Tensor& table, const OptTensorList& indices, const Tensor& values,
                     bool accumulate) {
  SC_CHECK(values.dtype() == table.dtype(),
           "Index put requires the source and destination dtypes match, got ",
           scalar_type_name(table.dtype()), " for the destination and ", scalar_type_name(values.dtype()),
           " for the source.");
  const Plan plan(table, indices);
  SC_CHECK(is_expandable_to(values.sizes(), plan.result), "shape mismatch: value tensor of shape ",
           values.sizes(), " cannot be broadcast to indexing result of shape ", plan.result);
  Tensor source = values;
  if (values.device() != table.device()) {
    SC_CHECK(values.device().is_cpu() && values.dim() == 0,
             "expected all tensors to be on the same device, but found at least two devices, ",
             device_name(table.device()), " and ", device_name(values.device()), "!");
    source = empty({}, values.dtype(), table.device());
    copy_into(source, values);
  }
  if (plan.indices.empty()) {
    copy_into(table, accumulate ? binary(SC_ADD, table, source, {{1}}) : source);
    return;
  }
  // Values in the result's shape; stride 0 repeats them, but the rows must advance by one stride.
  Dims strides = Dims::filled(plan.result.size(), 0);
  const int lead = plan.result.size() - source.dim();
  for (int k = 0; k < source.dim(); ++k) strides[lead + k] = source.sizes()[k] == 1 ? 0 : source.strides()[k];
  Tensor rows = alias_of(source, plan.result, strides, source.storage_offset());
  int before = -1;  // a dimension of size 1 has a stride that says nothing
  for (int d = plan.at; d < plan.at + plan.index_shape.size(); ++d) {
    if (plan.result[d] == 1) continue;
    if (before >= 0 && strides[before] != strides[d] * plan.result[d]) {
      rows = contiguous_raw(rows);
      break;
    }
    before = d;
  }
  put_rows(accumulate ? SC_SCATTER_ADD : SC_SCATTER_ASSIGN, table, rows, plan.offsets(table),
           plan.geometry(table, rows));
}

Tensor index_put(const Tensor& self, const OptTensorList& indices, const Tensor& values, bool accumulate) {
  TensorList read = indices;
  read.push_back(values);
  Tensor y = writable(self, read);
  put_into(y, indices, values, accumulate);
  return differentiable("IndexPutBackward0", y)
      .wrt(self,
           [kept = saved(indices), accumulate](const Tensor& g) {
             if (accumulate) return g;
             OptTensorList at;
             for (const SavedTensor& s : kept) at.push_back(s());
             return index_put(g, at, zeros_raw({}, g.dtype(), g.device()), false);
           })
      .wrt(values, [kept = saved(indices)](const Tensor& g) {
        OptTensorList at;
        for (const SavedTensor& s : kept) at.push_back(s());
        return index(g, at);
      });
}
OP("index_put(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor", index_put,
   kFunction | kDirect | kReadsApart,
   R"(`self` with `values` written to (with `accumulate`, added at) the positions that the index tensors give. Values broadcast.

Throws when an index is out of range, when the values do not broadcast, or when their dtype is not that of `self`.

See https://docs.pytorch.org/docs/stable/generated/torch.Tensor.index_put.html

@example
torch.zeros(3).index_put([torch.tensor([0, 2]).long()], torch.tensor([1, 5])) // tensor([1., 0., 5.])
)");

}  // namespace sconce::ops
