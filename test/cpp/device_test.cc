// Tensors on other devices, shown on the fake one: transfers, checks, gradients across devices.
#include <gtest/gtest.h>

#include <cstring>

#include "autograd/graph.h"
#include "core/device.h"
#include "core/fake_device.h"
#include "core/tensor.h"
#include "ops/ops.h"

namespace sconce {
namespace {

const Device kFake0{DeviceType::kFake, 0}, kFake1{DeviceType::kFake, 1};

Tensor numbers(std::initializer_list<float> v, Device device = {}) {
  Tensor t = empty({static_cast<int64_t>(v.size())}, DType::kFloat32);
  std::copy(v.begin(), v.end(), t.data_as<float>());
  return ops::to_device(t, device);
}
std::vector<float> values(const Tensor& t) {
  const Tensor host = contiguous_raw(ops::to_device(t, {}));
  return {host.data_as<float>(), host.data_as<float>() + host.numel()};
}
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

// A family that grows a kernel must be wrapped too, else operators would miss it on the fake device alone.
TEST(FakeDevice, WrapsEveryCpuKernel) {
  if (getenv("SCONCE_FAKE_KERNELS")) GTEST_SKIP() << "the fake device runs other kernels than the CPU's";
  const size_t first = offsetof(ScBackend, memory);
  for (size_t at = first; at < sizeof(ScBackend); at += sizeof(void*)) {
    void *cpu, *fake;
    memcpy(&cpu, reinterpret_cast<const char*>(g_cpu_backend) + at, sizeof cpu);
    memcpy(&fake, reinterpret_cast<const char*>(&fake_backend()) + at, sizeof fake);
    EXPECT_EQ(cpu == nullptr, fake == nullptr)
        << "kernel " << (at - first) / sizeof(void*) << " of ScBackend, counted from memory";
    if (cpu) {
      EXPECT_NE(cpu, fake) << "not wrapped: kernel " << (at - first) / sizeof(void*);
    }
  }
}

TEST(FakeDevice, AddressesCannotBeReadByTheHost) {
  const Tensor t = numbers({1, 2}, kFake0);
  EXPECT_TRUE(is_fake_address(t.data()));
  EXPECT_LT(reinterpret_cast<uintptr_t>(t.data()), uint64_t{1} << 53);
  EXPECT_DEATH(
      {
        volatile float x = *t.data_as<float>();
        (void)x;
      },
      "");
}

TEST(FakeDevice, TransfersBothWaysAndAcross) {
  const Tensor a = numbers({1, 2, 3}, kFake0), b = ops::to_device(a, kFake1);
  EXPECT_EQ(device_name(b.device()), "fake:1");
  EXPECT_EQ(values(b), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(values(a + a), (std::vector<float>{2, 4, 6}));
  EXPECT_EQ(values(b + b), (std::vector<float>{2, 4, 6}));
}

TEST(FakeDevice, TransfersStridedTensors) {
  const Tensor a = numbers({1, 2, 3, 4, 5, 6}, kFake0);
  const Tensor t = alias_of(a, {3, 2}, {1, 3}, 0);  // [[1, 4], [2, 5], [3, 6]]
  EXPECT_EQ(values(t), (std::vector<float>{1, 4, 2, 5, 3, 6}));
  copy_into(t, numbers({7, 8}));  // broadcast over rows
  EXPECT_EQ(values(a), (std::vector<float>{7, 7, 7, 8, 8, 8}));
}

TEST(FakeDevice, CastsOnTheWay) {
  Tensor to = empty({3}, DType::kInt64, kFake0);
  copy_into(to, numbers({1.5F, -2.5F, 3}));
  const Tensor host = ops::to_device(to, {});
  EXPECT_EQ(host.data_as<int64_t>()[0], 1);
  EXPECT_EQ(host.data_as<int64_t>()[1], -2);
  EXPECT_EQ(host.data_as<int64_t>()[2], 3);
}

TEST(FakeDevice, RefusesMixedDevices) {
  const Tensor cpu = numbers({1, 2}), f0 = numbers({1, 2}, kFake0), f1 = numbers({1, 2}, kFake1);
  EXPECT_EQ(error_of([&] { ops::add(f0, cpu); }),
            "Expected all tensors to be on the same device, but found at least two devices, fake:0 and cpu!");
  EXPECT_EQ(
      error_of([&] { ops::mul(f0, f1); }),
      "Expected all tensors to be on the same device, but found at least two devices, fake:0 and fake:1!");
}

TEST(FakeDevice, KernelsCheckWhoseMemoryTheyGet) {
  const ScBackend& b = backend_of(kFake0);
  const Tensor host = numbers({1, 2}), other = numbers({1, 2}, kFake1), own = numbers({1, 2}, kFake0);
  backend_of(kFake0);
  ScIter it{};
  it.ndim = 1;
  it.noperands = 2;
  it.numel = it.shape[0] = 2;
  it.strides[0][0] = it.strides[1][0] = 1;
  it.data[0] = own.data();
  it.data[1] = host.data();
  EXPECT_EQ(b.elementwise.copy(&it), SC_ERROR);
  EXPECT_STREQ(b.last_error(), "host memory used by a kernel running on a fake device");
  it.data[1] = other.data();
  EXPECT_EQ(b.elementwise.copy(&it), SC_ERROR);
  EXPECT_STREQ(b.last_error(), "memory of fake:1 used by a kernel running on fake:0");
  it.data[1] = own.data();
  EXPECT_EQ(b.elementwise.copy(&it), SC_OK);
}

TEST(FakeDevice, RefusesAnOrdinalThatIsNotThere) {
  EXPECT_EQ(error_of([] { empty({1}, DType::kFloat32, Device{DeviceType::kFake, 2}); }),
            "CUDA error: invalid device ordinal (fake:2, but there are 2)");
  EXPECT_EQ(error_of([] { parse_device("gpu"); }),
            "Expected one of cpu, cuda device type at start of device string: gpu");
  EXPECT_EQ(error_of([] { parse_device("cuda:01"); }), "Invalid device string: 'cuda:01'");
}

TEST(FakeDevice, CountsItsMemory) {
  const ScBackend& b = backend_of(kFake1);
  ScMemoryStats before{}, during{}, after{};
  b.memory.stats(1, &before);
  {
    const Tensor t = empty({1000}, DType::kFloat32, kFake1);
    b.memory.stats(1, &during);
  }
  b.memory.stats(1, &after);
  EXPECT_EQ(during.allocated_bytes - before.allocated_bytes, 4000);
  EXPECT_EQ(after.allocated_bytes, before.allocated_bytes);
  EXPECT_EQ(after.frees - before.frees, 1);
}

TEST(FakeDevice, GradientsReturnToTheDeviceOfTheirInput) {
  const Tensor w = numbers({1, 2, 3}), x = numbers({4, 5, 6}, kFake0);
  Tensor leaf = w;
  leaf.set_requires_grad(true);
  const Tensor on_fake = ops::to_device(leaf, kFake0);
  const Tensor y = ops::to_device(ops::mul(on_fake, x), kFake1);
  const Tensor loss = ops::sum(ops::mul(y, y));
  run_backward({loss}, {}, {}, BackwardOptions{});
  ASSERT_TRUE(leaf.grad().defined());
  EXPECT_TRUE(leaf.grad().device().is_cpu());
  EXPECT_EQ(values(leaf.grad()), (std::vector<float>{32, 100, 216}));  // 2 w x^2
}

}  // namespace
}  // namespace sconce
