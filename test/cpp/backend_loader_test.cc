// Opening a device backend: each way to fail says so in words.
#include "core/backend_loader.h"

#include <gtest/gtest.h>

namespace sconce {
namespace {

std::string plugin(const char* name) {
  return std::string(SCONCE_TEST_PLUGINS "/libtest_plugin_") + name + ".so";
}
const std::string kDriver = plugin("EMPTY");

LoadedBackend load(const std::string& path) { return load_backend(kDriver.c_str(), path); }

TEST(BackendLoader, NamesTheMissingDriver) {
  const LoadedBackend b = load_backend("libsconce_no_such_driver.so.1", plugin("SERVES"));
  EXPECT_EQ(b.backend, nullptr);
  EXPECT_EQ(b.device_count, 0);
  EXPECT_EQ(b.reason,
            "no NVIDIA driver: libsconce_no_such_driver.so.1: cannot open shared object file: No such file "
            "or directory");
}

TEST(BackendLoader, NamesTheMissingPlugin) {
  const LoadedBackend b = load(plugin("ABSENT"));
  EXPECT_EQ(b.backend, nullptr);
  EXPECT_EQ(b.reason.rfind("CUDA plug-in not loaded: ", 0), 0u) << b.reason;
  EXPECT_NE(b.reason.find("libtest_plugin_ABSENT.so"), std::string::npos) << b.reason;
}

TEST(BackendLoader, RefusesALibraryThatIsNoPlugin) {
  const LoadedBackend b = load(kDriver);
  EXPECT_EQ(b.backend, nullptr);
  EXPECT_EQ(b.reason, "CUDA plug-in not usable: " + kDriver + " exports no sconce_backend_init");
}

TEST(BackendLoader, PassesOnWhatThePluginSays) {
  const LoadedBackend b = load(plugin("REFUSES"));
  EXPECT_EQ(b.backend, nullptr);
  EXPECT_EQ(b.reason, "no usable CUDA device: CUDA driver version is insufficient for CUDA runtime version");
}

TEST(BackendLoader, RefusesAnotherAbi) {
  const LoadedBackend b = load(plugin("OTHER_ABI"));
  EXPECT_EQ(b.backend, nullptr);
  EXPECT_EQ(b.reason, "CUDA plug-in not usable: it has ABI " + std::to_string(SC_BACKEND_ABI + 1) +
                          ", this build needs " + std::to_string(SC_BACKEND_ABI));
}

TEST(BackendLoader, RefusesZeroDevices) {
  const LoadedBackend b = load(plugin("NO_DEVICE"));
  EXPECT_EQ(b.backend, nullptr);
  EXPECT_EQ(b.reason, "no usable CUDA device: the driver reports none");
}

TEST(BackendLoader, Serves) {
  const LoadedBackend b = load(plugin("SERVES"));
  ASSERT_NE(b.backend, nullptr) << b.reason;
  EXPECT_STREQ(b.backend->name, "plugin");
  EXPECT_EQ(b.device_count, 3);
  EXPECT_EQ(b.reason, "");
}

}  // namespace
}  // namespace sconce
