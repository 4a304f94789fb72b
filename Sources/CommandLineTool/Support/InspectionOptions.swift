import ArgumentParser
import ImageRepository

/// What the commands that look for damage have in common: where, how thoroughly, and how they speak.
struct InspectionOptions: ParsableArguments {
    @OptionGroup(title: "Repository")
    var repository: RepositoryOptions

    @OptionGroup(title: "Output")
    var output: OutputOptions

    /// The flag alone means 100%; see `Holdfast.withImpliedValues`.
    @Option(
        help: ArgumentHelp("Read and open all data; with =5%, packs at random that are such a share.", valueName: "share"))
    var readData: String?

    @Option(help: ArgumentHelp("Worker threads, instead of as many as suit the machine.", valueName: "count"), transform: ArgumentValues.threadCount)
    var threads: Int?

    func validate() throws { _ = try data }

    var data: CheckOptions.Data {
        get throws {
            guard let readData else { return .structure }
            let percent = try ArgumentValues.percent(readData)
            return percent == 100 ? .all : .sample(percent: percent)
        }
    }

    /// `data`, after the arguments were validated.
    func validData() throws(Failure) -> CheckOptions.Data {
        do { return try data } catch { throw Failure("\(error)", status: .usage) }
    }
}
