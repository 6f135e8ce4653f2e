#include "model/spec/slo.hpp"

#include <algorithm>
#include <cctype>

#include "model/base/units_text.hpp"

namespace plimsoll {

std::string to_text(const Slo& slo) {
    std::string text;
    for (const SloTerm& term : slo.terms) {
        if (!text.empty()) text += ", ";
        for (const char c : to_string(term.metric)) text += static_cast<char>(std::toupper(c));
        text += " " + std::string(to_string(term.statistic)) + " < " + to_text(term.limit);
    }
    return text;
}

double Latencies::worst_ratio(const Slo& slo) const {
    double worst = 0.0;
    for (const SloTerm& term : slo.terms) worst = std::max(worst, (*this)[term.metric][term.statistic] / term.limit);
    return worst;
}

}  // namespace plimsoll
