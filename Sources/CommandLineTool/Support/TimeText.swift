/// Times of manifests as tables show them.
enum TimeText {
    /// `2026-03-01T12:00:05Z` without letters and fractions; what looks otherwise stays as it is.
    static func short(_ time: String) -> String {
        let parts = time.split(separator: "T", omittingEmptySubsequences: false)
        guard parts.count == 2, time.hasSuffix("Z"), parts[1].count >= 9 else { return time }
        return "\(parts[0]) \(parts[1].prefix(8))"
    }
}
