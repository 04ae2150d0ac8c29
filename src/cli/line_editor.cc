#include "cli/line_editor.h"

#include <histedit.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "cli/history_file.h"
#include "cli/output.h"
#include "cli/raw_terminal.h"
#include "text/utf8.h"

namespace kvsplit::cli {
namespace {

// Keys that the program itself sends to libedit: Ctrl-C, Ctrl-].
constexpr wchar_t kInterruptKey = 0x03, kInsertRestKey = 0x1D;
constexpr std::wstring_view kPasteEnd = L"\033[201~";

// libedit works on wide characters and drops invalid bytes. These pass as lone surrogates, which UTF-8 cannot
// encode.
constexpr wchar_t kByteMark = 0xDC00;

std::string to_bytes(std::wstring_view text) {
    std::string out;
    for (const wchar_t c : text) {
        if (c >= kByteMark + 0x80 && c < kByteMark + 0x100) {
            out += static_cast<char>(c - kByteMark);
        } else {
            text::append_utf8(static_cast<char32_t>(c), out);
        }
    }
    return out;
}

wchar_t wide(const text::Utf8Step& step, char first) {
    return step.state == text::Utf8State::kCharacter
               ? static_cast<wchar_t>(step.code_point)
               : static_cast<wchar_t>(kByteMark + static_cast<unsigned char>(first));
}

std::wstring to_wide(std::string_view text) {
    std::wstring out;
    while (!text.empty()) {
        const text::Utf8Step step = text::next_utf8(text);
        out += wide(step, text.front());
        text.remove_prefix(step.state == text::Utf8State::kCharacter ? step.length : 1);
    }
    return out;
}

// Pasted text with newlines as line ends and without other control characters.
std::wstring pasted_text(std::wstring_view text) {
    std::wstring out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == L'\r' && text.substr(i + 1, 1) == L"\n") continue;
        const wchar_t c = text[i] == L'\r' ? L'\n' : text[i];
        if (c >= L' ' || c == L'\n' || c == L'\t') out += c;
    }
    while (out.ends_with(L'\n')) out.pop_back();
    return out;
}

class LineEditor : public LineReader {
  public:
    explicit LineEditor(bool history) {
        screen_ = ::fdopen(::dup(STDERR_FILENO), "w");  // buffered, unlike stderr
        editor_ = screen_ ? ::el_init("kvsplit", stdin, screen_, screen_) : nullptr;
        history_ = ::history_winit();
        if (!editor_ || !history_) fail(ErrorCode::kIo, "cannot set up the line editor");
        ::el_wset(editor_, EL_CLIENTDATA, this);
        ::el_wset(editor_, EL_PROMPT, &LineEditor::prompt_of);
        ::el_wset(editor_, EL_EDITOR, L"emacs");
        ::el_wset(editor_, EL_GETCFN, &LineEditor::get_character);
        ::el_wset(editor_, EL_SETTY, L"-d", L"-isig", nullptr);  // Ctrl-C and Ctrl-Z: see RawTerminal
        ::el_wset(editor_, EL_SETTY, L"-x", L"-icanon", L"-echo", nullptr);  // between lines
        terminal_.settle();
        add_keys();
        HistEventW event;
        ::history_w(history_, &event, H_SETSIZE, static_cast<int>(HistoryFile::kMaxEntries));
        ::el_wset(editor_, EL_HIST, ::history_w, history_);
        if (!history) return;
        for (const std::string& text : file_.load()) enter(text);
        keeps_file_ = true;
    }

    ~LineEditor() override {
        if (editor_) ::el_end(editor_);
        if (history_) ::history_wend(history_);
        if (screen_) std::fclose(screen_);
    }

    InputLine next(std::string_view prompt) override {
        prompt_ = to_wide(prompt);
        interrupted_ = false;
        failure_ = nullptr;
        const RawTerminal::Line reading(terminal_);
        ::el_resize(editor_);  // the window size may have changed
        int length = 0;
        const wchar_t* line = ::el_wgets(editor_, &length);
        if (failure_) std::rethrow_exception(failure_);
        if (interrupted_) return {InputLine::Kind::kInterrupted};
        if (!line || length <= 0) {
            write_err("\n");
            return {};
        }
        std::wstring_view text(line, static_cast<std::size_t>(length));
        if (text.ends_with(L'\n')) text.remove_suffix(1);
        return {InputLine::Kind::kText, to_bytes(text)};
    }

    void remember(const std::string& text) override {
        enter(text);
        if (keeps_file_) file_.append(text);
    }
    bool remembers() const override { return true; }

  private:
    static LineEditor& of(EditLine* editor) {
        void* self = nullptr;
        ::el_wget(editor, EL_CLIENTDATA, &self);
        return *static_cast<LineEditor*>(self);
    }

    static wchar_t* prompt_of(EditLine* editor) { return of(editor).prompt_.data(); }

    void add_keys() {
        const auto bind = [&](const wchar_t* keys, const wchar_t* function) {
            ::el_wset(editor_, EL_BIND, keys, function, nullptr);
        };
        ::el_wset(editor_, EL_ADDFN, L"kvsplit-paste", L"Insert what is pasted", &LineEditor::paste);
        ::el_wset(editor_, EL_ADDFN, L"kvsplit-insert-rest", L"Insert what remains",
                  &LineEditor::insert_rest);
        ::el_wset(editor_, EL_ADDFN, L"kvsplit-interrupt", L"Clear the line", &LineEditor::interrupt);
        bind(L"\\e[200~", L"kvsplit-paste");
        bind(L"^R", L"em-inc-search-prev");
        bind(L"^W", L"ed-delete-prev-word");
        bind(L"^I", L"ed-insert");
        bind(L"\\e[3~", L"ed-delete-next-char");
        for (const wchar_t* home : {L"\\e[H", L"\\e[1~", L"\\eOH"}) bind(home, L"ed-move-to-beg");
        for (const wchar_t* end : {L"\\e[F", L"\\e[4~", L"\\eOF"}) bind(end, L"ed-move-to-end");
        for (const wchar_t* left : {L"\\e[1;5D", L"\\e[1;3D"}) bind(left, L"ed-prev-word");
        for (const wchar_t* right : {L"\\e[1;5C", L"\\e[1;3C"}) bind(right, L"em-next-word");
        bind(L"^C", L"kvsplit-interrupt");
        bind(L"^]", L"kvsplit-insert-rest");
    }

    // Called by libedit, which is C: must not throw.
    static int get_character(EditLine* editor, wchar_t* out) {
        LineEditor& self = of(editor);
        try {
            return self.read_character(*out);
        } catch (...) {
            self.failure_ = std::current_exception();
            return -1;
        }
    }

    int read_character(wchar_t& out) {
        while (taken_ == pushed_.size()) {
            pushed_.clear();
            taken_ = 0;
            unsigned char byte = 0;
            switch (terminal_.next(byte)) {
                case RawTerminal::Event::kByte:
                    decode(static_cast<char>(byte));
                    break;
                case RawTerminal::Event::kEnd:
                    return 0;
                case RawTerminal::Event::kInterrupt:
                    pushed_ = kInterruptKey;  // libedit only knows keys

                    break;
                case RawTerminal::Event::kRedraw:
                    ::el_resize(editor_);
                    ::el_wset(editor_, EL_REFRESH);
                    break;
            }
        }
        out = pushed_[taken_++];
        return 1;
    }

    // Adds the characters that the byte completes.
    void decode(char byte) {
        unfinished_ += byte;
        while (!unfinished_.empty()) {
            const text::Utf8Step step = text::next_utf8(unfinished_);
            if (step.state == text::Utf8State::kUnfinished) return;
            pushed_ += wide(step, unfinished_.front());
            unfinished_.erase(0, step.state == text::Utf8State::kCharacter ? step.length : 1);
        }
    }

    static unsigned char paste(EditLine* editor, wint_t /*key*/) {
        LineEditor& self = of(editor);
        std::wstring text;
        wchar_t c = 0;
        while (!text.ends_with(kPasteEnd) && ::el_wgetc(editor, &c) == 1) text += c;
        if (text.ends_with(kPasteEnd)) text.resize(text.size() - kPasteEnd.size());
        text = pasted_text(text);
        const LineInfoW* line = ::el_wline(editor);
        if (line->cursor < line->lastchar) return insert(editor, text);
        // The first line is inserted as if typed, which only appends to the screen. The rest are redrawn as a
        // whole.
        const std::size_t end = std::min(text.find(L'\n'), text.size());
        self.rest_of_paste_ = text.substr(end);
        self.pushed_.erase(0, std::exchange(self.taken_, 0));
        self.pushed_.insert(0, text.substr(0, end) + kInsertRestKey);
        return CC_NORM;
    }

    static unsigned char insert_rest(EditLine* editor, wint_t /*key*/) {
        return insert(editor, std::exchange(of(editor).rest_of_paste_, {}));
    }

    static unsigned char insert(EditLine* editor, const std::wstring& text) {
        if (text.empty()) return CC_NORM;
        return ::el_winsertstr(editor, text.c_str()) == 0 ? CC_REFRESH : CC_ERROR;
    }

    static unsigned char interrupt(EditLine* editor, wint_t /*key*/) {
        const LineInfoW* line = ::el_wline(editor);
        const auto length = static_cast<int>(line->lastchar - line->buffer);
        const auto right = static_cast<int>(line->lastchar - line->cursor);
        write_err("^C\n");
        if (length == 0) {
            of(editor).interrupted_ = true;
            return CC_EOF;
        }
        ::el_cursor(editor, right);
        ::el_deletestr(editor, length);
        ::el_wset(editor, EL_REFRESH);
        return CC_REFRESH;
    }

    void enter(const std::string& text) {
        HistEventW event;
        ::history_w(history_, &event, H_ENTER, to_wide(text).c_str());
    }

    RawTerminal terminal_{true};  // first: libedit restores the mode that it finds
    std::FILE* screen_ = nullptr;
    EditLine* editor_ = nullptr;
    HistoryW* history_ = nullptr;
    HistoryFile file_;
    bool keeps_file_ = false, interrupted_ = false;
    std::wstring prompt_, rest_of_paste_;
    std::wstring pushed_;    // pending keys
    std::size_t taken_ = 0;  // pending keys already read
    std::string unfinished_;
    std::exception_ptr failure_;
};

}  // namespace

std::unique_ptr<LineReader> make_line_editor(bool history) { return std::make_unique<LineEditor>(history); }

}  // namespace kvsplit::cli
