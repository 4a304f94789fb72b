extension RandomAccessCollection {
    /// The first place whose element fits, where all behind one that fits do; the end if none does.
    ///
    /// - Complexity: logarithmic.
    package func partitionPoint(where fits: (Element) -> Bool) -> Index {
        var (low, count) = (startIndex, count)
        while count > 0 {
            let half = count / 2
            let middle = index(low, offsetBy: half)
            if fits(self[middle]) {
                count = half
            } else {
                low = index(after: middle)
                count -= half + 1
            }
        }
        return low
    }
}
