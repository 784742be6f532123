// The fake device: two "devices" made of the CPU kernels, for tests of transfers, device checks and autograd
// across devices on machines without a GPU.
//
// Its addresses are the CPU allocator's with a tag on top that names the device, so the host faults when it
// dereferences one. Every kernel is wrapped: tags are taken off the addresses in its arguments, and a kernel
// that is given memory of another device than the thread's current one answers with an error, as a real
// device would.
#pragma once
#include "../backend.h"

namespace sconce {

constexpr int kFakeDevices = 2;
const ScBackend& fake_backend();
bool is_fake_address(const void* p);

}  // namespace sconce
