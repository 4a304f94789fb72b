/// What the inspector is told on its command line (Specs/inspection.md).
struct InspectorArguments: Equatable {
    enum Failure: Error, Equatable {
        case usage(String)
    }

    var descriptor: Int32 = 0
    var sectorByteCount: UInt32 = 512
    /// Nil: as much as there is.
    var byteCount: UInt64?
    var cpuSeconds: UInt64 = 60
    var memoryByteCount: UInt64 = 1 << 30
    /// Not to look for partitions.
    var isWhole = false
    /// Page files, and images of hibernated systems, count as unused.
    var skipsPageFiles = false
    var isSelfTest = false
    /// Whoever started it puts into the descriptor's file what it asks for.
    var isServed = false

    init(_ words: some Sequence<String>) throws(Failure) {
        var words = words.makeIterator()
        var descriptor: UInt64?
        while let word = words.next() {
            switch word {
            case "--whole": isWhole = true
            case "--skip-page-files": skipsPageFiles = true
            case "--served": isServed = true
            case "--self-test": isSelfTest = true
            case "--descriptor", "--sector-size", "--byte-count", "--cpu-seconds", "--memory-mib":
                guard let text = words.next(), let number = UInt64(text), number <= 1 << 56 else { throw .usage("\(word) needs a number") }
                switch word {
                case "--descriptor": descriptor = number
                case "--sector-size": sectorByteCount = UInt32(min(number, 1 << 20))
                case "--byte-count": byteCount = number
                case "--cpu-seconds": cpuSeconds = number
                default: memoryByteCount = number << 20
                }
            default: throw .usage("there is no option \(word)")
            }
        }
        if isSelfTest { descriptor = descriptor ?? 0 }
        guard let descriptor, descriptor < 1 << 20 else { throw .usage("--descriptor is missing") }
        guard sectorByteCount == 512 || sectorByteCount == 4096 else { throw .usage("--sector-size is 512 or 4096") }
        guard cpuSeconds > 0, memoryByteCount >= 64 << 20, memoryByteCount <= 1 << 50 else { throw .usage("the limits are too narrow") }
        self.descriptor = Int32(descriptor)
    }
}
