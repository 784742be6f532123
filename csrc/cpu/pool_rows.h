// Maximum pooling of float32 planes whose rows lie along memory, vectorised along the row.
#pragma once
#include "backend.h"

namespace sconce {
bool max_rows_serves(const ScPool& p);
int32_t max_rows_forward(const ScPool& p);
void max_rows_backward(const ScPool& p);
}  // namespace sconce
