import RepositoryFormat

/// A range of a step, and what is to become of it.
struct RestorePart {
    enum Content {
        case data
        /// The target has these bytes.
        case held
        case zeros
        case unused
    }

    var content: Content
    /// Counted from the start of the step.
    var range: Range<UInt64>
}

extension RestoreStep {
    /// All of the step in order, neighbours with the same content joined.
    func parts(_ map: BandMap?, held: Set<Int>) -> [RestorePart] {
        guard let map else { return [RestorePart(content: slot.kind == .unused ? .unused : .zeros, range: 0..<byteCount)] }
        var parts: [RestorePart] = []
        var position = 0
        for (number, entry) in map.entries.enumerated() {
            let range = (position..<position + Int(entry.byteCount)).clamped(to: bandRange)
            position += Int(entry.byteCount)
            if range.isEmpty { continue }
            let content: RestorePart.Content =
                switch entry.kind {
                case .data: held.contains(number) ? .held : .data
                case .unused: .unused
                case .zero, .excluded, .unreadable, .map, .node: .zeros
                }
            let (start, end) = (UInt64(range.lowerBound - bandRange.lowerBound), UInt64(range.upperBound - bandRange.lowerBound))
            if let last = parts.last, last.content == content {
                parts[parts.count - 1].range = last.range.lowerBound..<end
            } else {
                parts.append(RestorePart(content: content, range: start..<end))
            }
        }
        return parts
    }

    /// Ranges of the image that the snapshot has as unreadable.
    func unreadableRanges(_ map: BandMap?) -> [Range<UInt64>] {
        guard let map else { return slot.kind == .unreadable ? [imageOffset..<imageOffset + byteCount] : [] }
        var ranges: [Range<UInt64>] = []
        var position = 0
        for entry in map.entries {
            let part = (position..<position + Int(entry.byteCount)).clamped(to: bandRange)
            if entry.kind == .unreadable, !part.isEmpty {
                let start = imageOffset + UInt64(part.lowerBound - bandRange.lowerBound)
                ranges.append(start..<start + UInt64(part.count))
            }
            position += Int(entry.byteCount)
        }
        return ranges
    }
}
