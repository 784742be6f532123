// einsum: sums of products in Einstein's notation, as permutations and batched matrix products.
#include <algorithm>
#include <string>

#include "ops.h"

namespace sconce::ops {
namespace {
constexpr int kLetters = 52;  // A-Z, then a-z: the order of an implicit output
constexpr int kEllipsis = kLetters;

int letter(char c, size_t at) {
  const bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';
  SC_CHECK(upper || lower, "einsum(): invalid subscript given at index ", static_cast<int64_t>(at),
           " in the equation string, subscripts must be in [a-zA-Z]");
  return upper ? c - 'A' : c - 'a' + 26;
}
char name_of(int label) { return static_cast<char>(label < 26 ? 'A' + label : 'a' + label - 26); }

struct Equation {
  std::vector<std::vector<int>> operands;  // labels, kEllipsis for `...`
  std::vector<int> output;
  bool explicit_output = false;
};

Equation parse(const std::string& text, size_t count) {
  Equation e;
  const size_t arrow = text.find("->");
  const size_t end = arrow == std::string::npos ? text.size() : arrow;
  e.explicit_output = arrow != std::string::npos;
  e.operands.emplace_back();
  bool ellipsis = false;
  for (size_t i = 0; i < end; ++i) {
    const char c = text[i];
    const auto n = static_cast<int64_t>(e.operands.size() - 1);
    if (c == ' ') continue;
    if (c == '.') {
      SC_CHECK(!ellipsis, "einsum(): found '.' for operand ", n, " for which an ellipsis was already found");
      SC_CHECK(i + 2 < end && text[i + 1] == '.' && text[i + 2] == '.', "einsum(): found '.' for operand ", n,
               " that is not part of any ellipsis");
      ellipsis = true;
      i += 2;
      e.operands.back().push_back(kEllipsis);
    } else if (c == ',') {
      e.operands.emplace_back();
      ellipsis = false;
      SC_CHECK(e.operands.size() <= count,
               "einsum(): fewer operands were provided than specified in the equation");
    } else {
      e.operands.back().push_back(letter(c, i));
    }
  }
  SC_CHECK(e.operands.size() >= count,
           "einsum(): more operands were provided than specified in the equation");
  if (!e.explicit_output) return e;
  ellipsis = false;
  for (size_t i = arrow + 2; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ' ') continue;
    if (c == '.') {
      SC_CHECK(!ellipsis, "einsum(): found '.' for output but an ellipsis (...) was already found");
      SC_CHECK(i + 2 < text.size() && text[i + 1] == '.' && text[i + 2] == '.',
               "einsum(): found '.' for output that is not part of any ellipsis (...)");
      ellipsis = true;
      i += 2;
      e.output.push_back(kEllipsis);
    } else {
      const int l = letter(c, i);
      SC_CHECK(std::find(e.output.begin(), e.output.end(), l) == e.output.end(),
               "einsum(): output subscript ", name_of(l), " appears more than once in the output");
      e.output.push_back(l);
    }
  }
  return e;
}

// The sum of a * b over `summed`. Both have every dimension, of size 1 where an operand lacks it; so has the
// result.
Tensor contract(const Tensor& a0, const Tensor& b0, const std::vector<bool>& summed) {
  const int n = a0.dim();
  Tensor a = a0, b = b0;
  IntList alone_a, alone_b;
  Dims batch, rows, columns, inner;
  for (int d = 0; d < n; ++d) {
    const bool in_a = a.sizes()[d] != 1, in_b = b.sizes()[d] != 1;
    const auto s = static_cast<size_t>(d);
    if (summed[s]) {
      if (in_a && in_b)
        inner.push_back(d);
      else if (in_a)
        alone_a.push_back(d);
      else if (in_b)
        alone_b.push_back(d);
    } else if (in_a && in_b) {
      batch.push_back(d);
    } else if (in_a) {
      rows.push_back(d);
    } else if (in_b) {
      columns.push_back(d);
    }
  }
  if (!alone_a.empty()) a = sum_dim(a, alone_a, true);
  if (!alone_b.empty()) b = sum_dim(b, alone_b, true);
  if (inner.empty()) return a * b;
  const auto extent = [](const Tensor& x, const Dims& dims) {
    int64_t e = 1;
    for (int64_t d : dims) e *= x.sizes()[static_cast<int>(d)];
    return e;
  };
  // [batch, rows, inner] and [batch, inner, columns]; the dimensions of size 1 go anywhere.
  const auto arranged = [n](const Tensor& x, const Dims& first, const Dims& second, const Dims& third) {
    Dims order;
    for (const Dims* group : {&first, &second, &third})
      for (int64_t d : *group) order.push_back(d);
    for (int d = 0; d < n; ++d)
      if (std::find(order.begin(), order.end(), d) == order.end()) order.push_back(d);
    return permute(x, order);
  };
  const int64_t nb = extent(a, batch), nr = extent(a, rows), nc = extent(b, columns), ni = extent(a, inner);
  const Tensor left = reshape(arranged(a, batch, rows, inner), {nb, nr, ni}),
               right = reshape(arranged(b, batch, inner, columns), {nb, ni, nc});
  const Tensor product = bmm(left, right);
  Dims shape, place = Dims::filled(n, 0);
  int k = 0;
  for (const Dims* group : {&batch, &rows, &columns})
    for (int64_t d : *group) {
      shape.push_back(group == &columns ? b.sizes()[static_cast<int>(d)] : a.sizes()[static_cast<int>(d)]);
      place[static_cast<int>(d)] = k++;
    }
  for (int d = 0; d < n; ++d) {
    bool placed = false;
    for (const Dims* group : {&batch, &rows, &columns})
      for (int64_t x : *group) placed = placed || x == d;
    if (placed) continue;
    shape.push_back(1);
    place[d] = k++;
  }
  return permute(reshape(product, shape), place);
}
}  // namespace

Tensor einsum(const std::string& equation, const TensorList& operands) {
  SC_CHECK(!operands.empty(), "einsum(): must provide at least one operand");
  Equation e = parse(equation, operands.size());

  // How often each label occurs, and how many dimensions the ellipses cover.
  int64_t occurrences[kLetters] = {};
  int64_t covered = 0;
  for (size_t i = 0; i < operands.size(); ++i) {
    const bool has_ellipsis =
        std::find(e.operands[i].begin(), e.operands[i].end(), kEllipsis) != e.operands[i].end();
    const auto labels = static_cast<int64_t>(e.operands[i].size()) - (has_ellipsis ? 1 : 0);
    const int64_t dims = operands[i].dim();
    SC_CHECK(has_ellipsis ? labels <= dims : labels == dims,
             "einsum(): the number of subscripts in the equation (", labels, ") ",
             has_ellipsis ? "is more than the number of dimensions ("
                          : "does not match the number of dimensions (",
             dims, ") for operand ", static_cast<int64_t>(i),
             has_ellipsis ? "" : " and no ellipsis was given");
    if (has_ellipsis) covered = std::max(covered, dims - labels);
    for (int l : e.operands[i])
      if (l != kEllipsis) ++occurrences[l];
  }
  if (!e.explicit_output) {
    if (covered > 0) e.output.push_back(kEllipsis);
    for (int l = 0; l < kLetters; ++l)
      if (occurrences[l] == 1) e.output.push_back(l);
  }

  // Every label's place in one common order: the output's dimensions first, then those that are summed.
  int64_t place[kLetters];
  std::fill(place, place + kLetters, -1);
  int64_t ellipsis_at = -1, total = 0;
  for (int l : e.output) {
    if (l == kEllipsis) {
      ellipsis_at = total;
      total += covered;
    } else {
      SC_CHECK(occurrences[l] > 0, "einsum(): output subscript ", name_of(l),
               " does not appear in the equation for any input operand");
      place[l] = total++;
    }
  }
  const int64_t kept = total;
  if (ellipsis_at < 0) {
    ellipsis_at = total;
    total += covered;
  }
  for (int l = 0; l < kLetters; ++l)
    if (occurrences[l] > 0 && place[l] < 0) place[l] = total++;

  // Bring every operand to all `total` dimensions: diagonals of repeated labels, then a permutation, size 1
  // where absent.
  TensorList full;
  std::vector<int64_t> seen(static_cast<size_t>(total), 1);
  std::vector<size_t> last_use(static_cast<size_t>(total), 0);
  for (size_t i = 0; i < operands.size(); ++i) {
    Tensor x = operands[i];
    std::vector<int64_t> at;  // place of each remaining dimension of x
    const auto& labels = e.operands[i];
    const bool has_ellipsis = std::find(labels.begin(), labels.end(), kEllipsis) != labels.end();
    const int64_t own = x.dim() - static_cast<int64_t>(labels.size()) + (has_ellipsis ? 1 : 0);
    int dim = 0;
    for (int l : labels) {
      if (l == kEllipsis) {
        for (int64_t k = 0; k < own; ++k, ++dim) at.push_back(ellipsis_at + covered - own + k);
        continue;
      }
      const auto before = std::find(at.begin(), at.end(), place[l]);
      if (before == at.end()) {
        at.push_back(place[l]);
        ++dim;
        continue;
      }
      const auto first = static_cast<int>(before - at.begin());
      SC_CHECK(x.size(first) == x.size(dim), "einsum(): subscript ", name_of(l), " is repeated for operand ",
               static_cast<int64_t>(i), " but the sizes don't match, ", x.size(dim), " != ", x.size(first));
      x = movedim(diagonal(x, 0, first, dim), {-1}, {first});
    }
    for (int d = 0; d < x.dim(); ++d) {
      const auto p = static_cast<size_t>(at[static_cast<size_t>(d)]);
      const int64_t size = x.size(d);
      if (size != 1) {
        if (seen[p] == 1) seen[p] = size;
        std::string label = "...";
        for (int l = 0; l < kLetters; ++l)
          if (place[l] == static_cast<int64_t>(p)) label = std::string(1, name_of(l));
        SC_CHECK(seen[p] == size, "einsum(): subscript ", label, " has size ", size, " for operand ",
                 static_cast<int64_t>(i), " which does not broadcast with previously seen size ", seen[p]);
      }
      last_use[p] = i;
    }
    Dims order;
    for (int64_t p = 0; p < total; ++p) {
      const auto found = std::find(at.begin(), at.end(), p);
      if (found != at.end()) order.push_back(found - at.begin());
    }
    x = permute(x, order);
    for (int64_t p = 0; p < total; ++p)
      if (std::find(at.begin(), at.end(), p) == at.end()) x = unsqueeze(x, p);
    full.push_back(x);
  }

  // From left to right, summing a dimension as soon as no later operand has it.
  Tensor y = full[0];
  IntList early;
  for (int64_t p = kept; p < total; ++p)
    if (last_use[static_cast<size_t>(p)] == 0) early.push_back(p);
  if (full.size() == 1) return early.empty() ? y : sum_dim(y, early, false);
  if (!early.empty()) y = sum_dim(y, early, true);
  for (size_t i = 1; i < full.size(); ++i) {
    std::vector<bool> summed(static_cast<size_t>(total), false);
    for (int64_t p = kept; p < total; ++p)
      summed[static_cast<size_t>(p)] = last_use[static_cast<size_t>(p)] == i;
    y = contract(y, full[i], summed);
  }
  return kept == total ? y : reshape(y, Dims(y.sizes().data(), static_cast<int>(kept)));
}
OP("einsum(str equation, Tensor[] tensors) -> Tensor", einsum, kFunction,
   R"(Sums of products in Einstein's notation: each operand's dimensions are named by letters, and letters missing in the output are summed over.

`'ij,jk->ik'` is a matrix product, `'ii'` a trace, `'...ij->...ji'` a batched transpose; without `->` the letters that occur once, sorted, are the output.
Throws when the equation is malformed or the sizes do not fit.

See https://docs.pytorch.org/docs/stable/generated/torch.einsum.html

@example
torch.einsum('i,j->ij', [torch.tensor([1, 2]), torch.tensor([1, 10])]) // tensor([[ 1., 10.],
//         [ 2., 20.]])
torch.einsum('ii', [torch.tensor([[1, 2], [3, 4]])]) // tensor(5.)
)");

}  // namespace sconce::ops
