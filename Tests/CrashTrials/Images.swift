import RepositoryFixtures

/// What is backed up. Images have parts in common, so that packs outlive the snapshot that made them, and are needed in part.
enum Images {
    static let first = parts(1, 2, 3)
    static let second = parts(1, 4, 5)
    static let third = parts(6, 7)
    /// What a killed backup was about to store.
    static let lost = parts(6, 8, 9)
    /// Backed up after every fault: parts of all the others, also of those that are forgotten.
    static let next = parts(2, 5, 7, 8)

    /// A zero block ends each part, so that it is a chunk of its own.
    static func parts(_ numbers: UInt64...) -> [UInt8] {
        numbers.flatMap { TestImages.random(byteCount: 8192, seed: 40 + $0) + [UInt8](repeating: 0, count: 4096) }
    }
}
