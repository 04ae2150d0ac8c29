// kvsplit: the command line. Exit codes: 0 done, 1 failed, 2 the command line makes no sense, 130 Ctrl-C.
#include <algorithm>
#include <clocale>
#include <csignal>
#include <exception>
#include <memory>
#include <new>
#include <sstream>

#include "base/cpu_features.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/version.h"
#include "kvsplit/error.h"
#include "text/unicode_classes.h"

namespace kvsplit::cli {
namespace {

constexpr int kFailed = 1, kBadUsage = 2;
constexpr std::size_t kHelpColumn = 34;  // where the descriptions of options begin

// Help for people: omits exclusions and ranges, which errors state when they matter.
class HelpFormatter : public CLI::Formatter {
  public:
    HelpFormatter() { column_width(kHelpColumn); }
    // Removes the parser's mark of options that turn something off.
    std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
        std::string name = CLI::Formatter::make_option_name(option, is_positional);
        constexpr std::string_view kMark = "{false}";
        for (std::size_t at; (at = name.find(kMark)) != std::string::npos;) name.erase(at, kMark.size());
        return name;
    }
    std::string make_option_opts(const CLI::Option* option) const override {
        if (option->get_type_size() == 0) return "";
        std::string name = option->get_type_name();
        name = name.substr(0, name.find(':'));  // the check's description follows
        std::string out = " " + name;
        if (!option->get_default_str().empty()) out += " (" + option->get_default_str() + ")";
        if (option->get_required()) out += " (required)";
        return out;
    }
};

// Wraps help to 80 columns. Descriptions of options continue in their column, other text at its line's
// indentation.
std::string wrapped(const std::string& help) {
    constexpr std::size_t kColumns = 80;
    std::istringstream in(help);
    std::string out;
    for (std::string line; std::getline(in, line);) {
        const std::size_t margin = line.starts_with("  -") ? kHelpColumn : line.find_first_not_of(' ');
        while (line.size() > kColumns) {
            const std::size_t end = line.rfind(' ', kColumns);
            if (end == std::string::npos || end <= margin) break;  // one long word
            out += line.substr(0, end) + "\n";
            line = std::string(margin, ' ') + line.substr(end + 1);
        }
        out += line + "\n";
    }
    return out;
}

std::string compiler_text() {
#if defined(__clang__)
    return "clang " __clang_version__;
#else
    return "gcc " __VERSION__;
#endif
}

std::string version_text() {
    return fmt::format("kvsplit {}\ncommit   {}\ncompiler {}\ncpu      {}, {} kernels\nunicode  {}",
                       version(), commit(), compiler_text(), cpu_model_name(), isa_name(choose_isa()),
                       text::unicode_version());
}

int report(std::string_view message, int exit_code) {
    say("kvsplit: error: {}\n", message);
    return exit_code;
}

int report_usage(const CLI::App& app, std::string_view message) {
    std::string command = app.get_name();
    for (const CLI::App* sub : app.get_subcommands()) command += " " + sub->get_name();
    report(message, kBadUsage);
    say("'{} --help' tells more\n", command);
    return kBadUsage;
}

int run_app(int argc, char** argv) {
    CLI::App app("Runs language models with separate precision for the keys and values of the cache",
                 "kvsplit");
    app.formatter(std::make_shared<HelpFormatter>());
    int exit_code = 0;
    app.require_subcommand(1);
    app.set_version_flag("--version", version_text);
    app.footer("Example: kvsplit run -m model.gguf -p 'Why is the sky blue?' --kv k8v4");
    add_run(app, exit_code);
    add_chat(app, exit_code);
    add_perplexity(app, exit_code);
    add_eval(app, exit_code);
    add_bench(app, exit_code);
    add_compare(app, exit_code);
    add_plan(app, exit_code);
    add_tune(app, exit_code);
    add_info(app, exit_code);

    auto arguments = normalise_arguments(argc, argv);
    const auto named = [](const CLI::App* command) { return command->get_name(); };
    const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
    if (argc > 1 && argv[1][0] != '-' && std::ranges::count(commands, argv[1], named) == 0) {
        std::string names;
        for (const CLI::App* command : commands) names += (names.empty() ? "" : ", ") + command->get_name();
        return report_usage(app, fmt::format("there is no command '{}'; there are {}", argv[1], names));
    }
    std::vector<char*> pointers;
    for (auto& a : arguments) pointers.push_back(a.data());
    try {
        app.parse(static_cast<int>(pointers.size()), pointers.data());
        return exit_code;
    } catch (const CLI::Success& help) {
        std::ostringstream text;
        app.exit(help, text, text);
        write_out(wrapped(text.str()));
        return 0;
    } catch (const CLI::ExtrasError&) {
        return report_usage(app, unknown_arguments_text(app));
    } catch (const CLI::ParseError& error) {
        return report_usage(app, with_written_name(app, arguments, error.what()));
    } catch (const UsageError& error) {
        return report_usage(app, with_written_name(app, arguments, error.what()));
    }
}

}  // namespace
}  // namespace kvsplit::cli

int main(int argc, char** argv) {
    using namespace kvsplit::cli;
    reserve_standard_descriptors();
    // For character widths: text is UTF-8, whatever the environment says.
    std::setlocale(LC_CTYPE, "C.UTF-8");
    // Writing then fails, and the command ends normally.
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
    try {
        return run_app(argc, argv);
    } catch (const kvsplit::Error& error) {
        return report(error.what(),
                      error.code() == kvsplit::ErrorCode::kCancelled ? kInterruptedExitCode : kFailed);
    } catch (const std::bad_alloc&) {
        return report("out of memory", kFailed);
    } catch (const std::exception& error) {
        return report(error.what(), kFailed);
    }
}
