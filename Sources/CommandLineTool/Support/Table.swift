/// Columns of text, as wide as they need to be.
struct Table {
    enum Alignment { case left, right }

    private let columns: [(title: String, alignment: Alignment)]
    private var rows: [[String]] = []

    init(_ columns: [(title: String, alignment: Alignment)]) { self.columns = columns }

    var isEmpty: Bool { rows.isEmpty }

    /// - Precondition: as many cells as there are columns.
    mutating func add(_ cells: [String]) {
        precondition(cells.count == columns.count, "one cell a column")
        rows.append(cells.map { Printable.text($0) })
    }

    /// Two blanks between columns, none at the ends of lines.
    var lines: [String] {
        let all = [columns.map(\.title)] + rows
        let widths = columns.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                if column > 0 { line += "  " }
                let blanks = String(repeating: " ", count: widths[column] - cell.count)
                line += columns[column].alignment == .left ? cell + blanks : blanks + cell
            }
            while line.hasSuffix(" ") { line.removeLast() }
            return line
        }
    }
}
