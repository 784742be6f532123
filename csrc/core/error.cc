#include "error.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace sconce {

void throw_error(ErrorKind kind, const std::string& what) { throw Error(kind, what); }

namespace detail {
void append(std::string& s, double v) {
  if (std::isnan(v)) {
    s += "nan";
    return;
  }
  if (std::isinf(v)) {
    s += v < 0 ? "-inf" : "inf";
    return;
  }
  char buf[40];
  for (int precision = 1; precision <= 17; ++precision) {  // shortest text that reads back the same
    snprintf(buf, sizeof buf, "%.*g", precision, v);
    if (strtod(buf, nullptr) == v) break;
  }
  std::string text = buf;
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  s += text;
}

void append(std::string& s, const Dims& v) {
  s += '[';
  for (int i = 0; i < v.size(); ++i) {
    if (i) s += ", ";
    s += std::to_string(v[i]);
  }
  s += ']';
}
}  // namespace detail
}  // namespace sconce
