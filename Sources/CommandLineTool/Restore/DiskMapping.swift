import DiskImages

/// Which image of a snapshot goes to which target: `IMAGE=TARGET`.
struct DiskMapping {
    let image: String
    let target: String

    /// - Throws: for what is no mapping, and where two would write to the same target, or one image would be taken twice.
    static func parse(_ texts: [String]) throws(Failure) -> [DiskMapping] {
        var mappings: [DiskMapping] = []
        for text in texts {
            // Names of images may hold the sign; targets seldom do.
            guard let sign = text.lastIndex(of: "="), sign != text.startIndex, text.index(after: sign) != text.endIndex else {
                throw Failure("“\(text)” is no mapping; write IMAGE=TARGET, such as /dev/sda=/dev/sdb", status: .usage)
            }
            let mapping = DiskMapping(image: String(text[..<sign]), target: String(text[text.index(after: sign)...]))
            guard mapping.target != "-" else { throw Failure("--disk needs a file or a device as target", status: .usage) }
            for other in mappings {
                if other.image == mapping.image { throw Failure("\(mapping.image) is mapped twice", status: .usage) }
                let isSame = try imageCall { () throws(ImageError) in try ImageTarget.isSame(other.target, mapping.target) }
                guard !isSame else { throw Failure("\(mapping.target) is the target of two disks, or a part of one", status: .usage) }
            }
            mappings.append(mapping)
        }
        return mappings
    }
}
