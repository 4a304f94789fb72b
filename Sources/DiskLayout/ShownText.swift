/// Text from a disk that is fit to be shown and stored.
package enum ShownText {
    /// Control characters, also those that turn the direction of writing, become `?`; what is too long is cut off.
    package static func clean(_ text: String) -> String {
        var cleaned = String.UnicodeScalarView()
        var byteCount = 0
        for scalar in text.unicodeScalars {
            let shown: Unicode.Scalar = isControl(scalar) ? "?" : scalar
            byteCount += UTF8.width(shown)
            guard byteCount <= DiskLayoutLimits.textByteCountMax else { break }
            cleaned.append(shown)
        }
        return String(cleaned)
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
