/// Reads what can be read around places where a medium is damaged.
public struct UnreadableRangeScanner: Sendable {
    /// What a range turned out to hold.
    public struct Outcome: Equatable, Sendable {
        /// Ranges of the image that could not be read, in order and not touching each other. The missing tail of a source that shrank is among them.
        public var unreadable: [Range<UInt64>] = []
        /// Where the source ends now, if that is within what was asked for.
        public var endedAt: UInt64?
        /// What the device said the first time.
        public var reason: String?

        public init(unreadable: [Range<UInt64>] = [], endedAt: UInt64? = nil, reason: String? = nil) {
            self.unreadable = unreadable
            self.endedAt = endedAt
            self.reason = reason
        }

        public var isComplete: Bool { unreadable.isEmpty }

        mutating func add(_ range: Range<UInt64>) {
            if let last = unreadable.last, last.upperBound == range.lowerBound {
                unreadable[unreadable.count - 1] = last.lowerBound..<range.upperBound
            } else if !range.isEmpty {
                unreadable.append(range)
            }
        }
    }

    /// The smallest piece that is read alone, in bytes; a power of two.
    public let sectorByteCount: UInt64

    public init(sectorByteCount: UInt32 = 512) {
        precondition(sectorByteCount > 0 && sectorByteCount & (sectorByteCount - 1) == 0, "a power of two")
        self.sectorByteCount = UInt64(sectorByteCount)
    }

    /// Fills `bytes` from `offset` on; what cannot be read is zero and listed in the outcome.
    ///
    /// A failed read is repeated in halves down to single sectors, so a sector is given up only after a read of it alone failed. Behind a
    /// dead half the other is begun at its first sector, so that a dead range costs about one failed read a sector, not two.
    ///
    /// - Throws: whatever the reader throws except `.unreadable`.
    public func read(
        from reader: some ImageReader, at offset: UInt64, into bytes: inout MutableSpan<UInt8>
    ) throws(ImageError) -> Outcome {
        var outcome = Outcome()
        try read(from: reader, at: offset, within: 0..<bytes.count, of: &bytes, isDamageExpected: false, &outcome)
        if let end = outcome.endedAt {
            let limit = offset + UInt64(bytes.count)
            zero(Int(end - offset)..<bytes.count, of: &bytes)
            outcome.add(end..<limit)
        }
        return outcome
    }

    /// Answers whether nothing of the piece could be read.
    @discardableResult
    private func read(
        from reader: some ImageReader, at base: UInt64, within piece: Range<Int>, of bytes: inout MutableSpan<UInt8>,
        isDamageExpected: Bool, _ outcome: inout Outcome
    ) throws(ImageError) -> Bool {
        let range = base + UInt64(piece.lowerBound)..<base + UInt64(piece.upperBound)
        let middle = middle(of: range)
        if !isDamageExpected || middle == nil {
            do throws(ImageError) {
                var part = bytes._mutatingExtracting(piece)
                let byteCount = try reader.read(at: range.lowerBound, into: &part)
                if byteCount < piece.count { outcome.endedAt = range.lowerBound + UInt64(byteCount) }
                return false
            } catch {
                guard case .unreadable(_, _, let reason) = error else { throw error }
                if outcome.reason == nil { outcome.reason = reason }
            }
        }
        guard let middle else {
            zero(piece, of: &bytes)
            outcome.add(range)
            return true
        }
        let split = Int(middle - base)
        let isFirstDead = try read(
            from: reader, at: base, within: piece.lowerBound..<split, of: &bytes, isDamageExpected: isDamageExpected, &outcome)
        if outcome.endedAt != nil { return false }
        let isSecondDead = try read(
            from: reader, at: base, within: split..<piece.upperBound, of: &bytes, isDamageExpected: isFirstDead, &outcome)
        return isFirstDead && isSecondDead
    }

    /// The sector boundary nearest below the middle, counted from the image's start; nil when the range lies in one sector.
    private func middle(of range: Range<UInt64>) -> UInt64? {
        let half = (range.lowerBound + (range.upperBound - range.lowerBound) / 2) & ~(sectorByteCount - 1)
        if half > range.lowerBound { return half }
        let next = (range.lowerBound & ~(sectorByteCount - 1)) + sectorByteCount
        return next < range.upperBound ? next : nil
    }

    private func zero(_ range: Range<Int>, of bytes: inout MutableSpan<UInt8>) {
        var part = bytes._mutatingExtracting(range)
        part.update(repeating: 0)
    }
}
