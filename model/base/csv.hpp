#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll {

/// A table read from CSV text (RFC 4180: quoted cells, doubled quotes; first line names the columns).
class Csv {
  public:
    /// Throws EnvironmentError when the file cannot be read and InputError ("file:line") when it is no such table.
    [[nodiscard]] static Csv from_file(const std::string& path);
    [[nodiscard]] static Csv from_text(std::string_view text, const std::string& name);
    /// An empty table with these columns, for rows that were read from text of another form.
    [[nodiscard]] static Csv with_columns(std::vector<std::string> columns, const std::string& name);
    /// Adds a row; one cell a column.
    void add_row(std::string place, std::vector<std::string> cells);
    /// Adds the rows of a table, which keep their places. Throws InputError when its columns are others.
    void append(const Csv& other);
    /// The same table with these rows alone, which keep their places.
    [[nodiscard]] Csv only(const std::vector<std::size_t>& rows) const;

    /// The file, or what stands for it.
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] std::size_t rows() const { return cells_.size(); }
    [[nodiscard]] const std::vector<std::string>& columns() const { return columns_; }
    [[nodiscard]] bool has(std::string_view column) const;
    /// Throws InputError naming the missing columns and those found.
    void require(const std::vector<std::string>& columns) const;

    /// The cell of a row (from 0); throws InputError when there is no such column.
    [[nodiscard]] const std::string& text(std::size_t row, std::string_view column) const;
    /// A number, or nothing for an empty cell or an absent column; throws InputError for anything else.
    [[nodiscard]] std::optional<double> number(std::size_t row, std::string_view column) const;
    /// "file:line" of a row, or what stands for it.
    [[nodiscard]] std::string place(std::size_t row) const;

  private:
    std::string name_;
    std::vector<std::string> columns_;
    std::vector<std::vector<std::string>> cells_;
    std::vector<std::string> places_;
};

/// Whether a cell is a value with a question mark: whoever wrote it was not sure.
[[nodiscard]] bool is_doubted(std::string_view cell);

}  // namespace plimsoll
