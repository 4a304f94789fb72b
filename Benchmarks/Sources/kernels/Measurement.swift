/// Where results go, so that no work can be left out.
nonisolated(unsafe) var sink: UInt64 = 0

/// The best of five runs of `work` over `byteCount` bytes, in MB/s.
func megabytesPerSecond(byteCount: Int, _ work: () throws -> UInt64) rethrows -> Double {
    let clock = ContinuousClock()
    var best = Duration.seconds(3600)
    for _ in 0..<5 {
        let start = clock.now
        let result = try work()
        best = min(best, clock.now - start)
        unsafe sink ^= result
    }
    return Double(byteCount) / 1e6 / (best / .seconds(1))
}

/// One line of the table: the product's way of doing something, and another way of doing it.
struct Comparison {
    let name: String
    let ours: Double?
    let baselineName: String
    let baseline: Double

    var line: String {
        let ratio = ours.map { String(Int(($0 / baseline * 100).rounded())) + " %" } ?? ""
        return [
            Comparison.pad(name, 30), Comparison.align(ours.map { String(Int($0)) } ?? "", 8),
            "  " + Comparison.pad(baselineName, 30), Comparison.align(String(Int(baseline)), 8), Comparison.align(ratio, 8),
        ].joined()
    }

    static let heading =
        pad("Holdfast", 30) + align("MB/s", 8) + "  " + pad("against", 30) + align("MB/s", 8) + align("ratio", 8)

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }

    private static func align(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(1, width - text.count)) + text
    }
}
