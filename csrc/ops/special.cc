// The error function and its kin, and the logarithm of the gamma function.
#include <cmath>

#include "fused_backward.h"
#include "ops.h"
#include "pointwise.h"

namespace sconce::ops {

Tensor erf(const Tensor& self) {
  Tensor y = unary_float(SC_ERF, self);
  return elementwise("ErfBackward0", y).wrt(self, [self = saved(self)](const Tensor& g) {
    return g * (exp(-(self() * self())) * M_2_SQRTPI);
  });
}
OP("erf(Tensor self) -> Tensor", erf, kFunction | kMethod | kInPlace | kDirect,
   R"(Error function, element by element: `2 / sqrt(pi)` times the integral of `exp(-t^2)` from 0 to `x`.

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.erf.html

@example
torch.tensor([0, 1]).erf() // tensor([0.0000, 0.8427])
)");

Tensor erfc(const Tensor& self) {
  Tensor y = unary_float(SC_ERFC, self);
  return elementwise("ErfcBackward0", y).wrt(self, [self = saved(self)](const Tensor& g) {
    return g * (exp(-(self() * self())) * -M_2_SQRTPI);
  });
}
OP("erfc(Tensor self) -> Tensor", erfc, kFunction | kMethod | kInPlace | kDirect,
   R"(Complementary error function, element by element: `1 - erf(x)`.

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.erfc.html

@example
torch.tensor([0, 1]).erfc() // tensor([1.0000, 0.1573])
)");

Tensor erfinv(const Tensor& self) {
  Tensor y = unary_float(SC_ERFINV, self);
  return elementwise("ErfinvBackward0", y).wrt(self, [y = saved(y)](const Tensor& g) {
    return g * (exp(y() * y()) * (1 / M_2_SQRTPI));
  });
}
OP("erfinv(Tensor self) -> Tensor", erfinv, kFunction | kMethod | kInPlace | kDirect,
   R"(Inverse of the error function, element by element; NaN outside of [-1, 1].

Same shape; integers give the default floating dtype.

See https://docs.pytorch.org/docs/stable/generated/torch.erfinv.html

@example
torch.tensor([0, 0.5]).erfinv() // tensor([0.0000, 0.4769])
)");

}  // namespace sconce::ops
