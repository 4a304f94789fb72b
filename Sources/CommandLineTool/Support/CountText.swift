/// A number and what it counts.
enum CountText {
    /// - Parameter noun: of one; more get an s.
    static func of(_ number: some BinaryInteger, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}
