#include "fake_device.h"

#include "device.h"

namespace sconce {
const ScBackend& fake_backend() { return *g_cpu_backend; }
}  // namespace sconce
