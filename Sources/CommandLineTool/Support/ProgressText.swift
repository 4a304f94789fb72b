import RepositoryFormat

/// Progress as a line and as a JSON object.
enum ProgressText {
    enum Kind: String, Sendable {
        case backup, restore, check, prune, stats, repair
    }

    /// The most important first, because a narrow terminal cuts the end off.
    static func line(_ reading: ProgressMeter.Reading, _ kind: Kind) -> String {
        let sample = reading.sample
        var parts: [String] = []
        if let permille = reading.permille {
            parts.append("\(permille / 10).\(permille % 10)%")
            parts.append("\(ByteText.of(sample.doneByteCount)) of \(ByteText.of(sample.totalByteCount))")
        } else {
            parts.append(ByteText.of(sample.doneByteCount))
        }
        parts.append("\(ByteText.of(reading.bytesPerSecond))/s")
        if let left = reading.secondsLeft { parts.append("\(DurationText.of(seconds: left)) left") }
        if kind == .backup {
            parts.append("new \(ByteText.of(sample.newByteCount))")
            parts.append("stored \(ByteText.of(sample.storedByteCount))")
        }
        return parts.joined(separator: "  ")
    }

    static func json(_ reading: ProgressMeter.Reading, _ kind: Kind) -> JSONValue {
        let sample = reading.sample
        return [
            "type": "progress",
            "operation": .string(kind.rawValue),
            "total_byte_count": .count(sample.totalByteCount),
            "done_byte_count": .count(sample.doneByteCount),
            "read_byte_count": .count(sample.readByteCount),
            "new_byte_count": .count(sample.newByteCount),
            "stored_byte_count": .count(sample.storedByteCount),
            "seconds": .count(reading.seconds),
            "bytes_per_second": .count(reading.bytesPerSecond),
            "seconds_left": reading.secondsLeft.map { .count($0) } ?? .null,
        ]
    }
}
