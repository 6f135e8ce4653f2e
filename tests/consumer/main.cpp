#include "model/base/fields.hpp"
#include "model/base/units.hpp"

// Reads one quantity through the installed library: 2 GB/s carries 1 GB in half a second.
int main() {
    const auto link = plimsoll::Fields::from_text(R"({"bandwidth": "2 GB/s"})", "link.json");
    const plimsoll::Seconds time = plimsoll::Bytes(1e9) / link.quantity<plimsoll::BytesPerSecond>("bandwidth");
    return time == plimsoll::Seconds(0.5) ? 0 : 1;
}
