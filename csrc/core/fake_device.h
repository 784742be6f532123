// The fake device: a second "device" made of the CPU kernels, for tests of transfers, device checks and autograd
// across devices on machines without a GPU. Its pointers are shifted so that the host faults when it dereferences one.
#pragma once
#include "../backend.h"

namespace sconce {
const ScBackend& fake_backend();
}  // namespace sconce
