// Template: a chat template, in the language of jinja2 as transformers configures it for
// apply_chat_template().
//
// The white space rules are trim_blocks and lstrip_blocks; undefined variables print as nothing and refuse
// most operations; lists and dicts cannot be changed. Not supported: the tags block, extends, include, import
// and autoescape, and the filters pprint, random, striptags, urlize and wordwrap.
#pragma once

#include <ctime>
#include <functional>
#include <string>
#include <string_view>

#include "text/jinja/ast.h"
#include "text/jinja/json_values.h"
#include "text/jinja/runtime.h"
#include "text/jinja/template_error.h"

namespace kvsplit::text::jinja {

struct RenderOptions {
    Limits limits;
    Runtime::Clock now;  // for strftime_now(); empty: the local time
};

// Thread-safe once made.
class Template {
  public:
    // name: for messages. Throws TemplateError(kSyntax); also for sources of more than kMaxBytes.
    explicit Template(std::string_view source, std::string name = "chat template");
    static constexpr std::size_t kMaxBytes = std::size_t{4} << 20;

    // variables: an object. Strings that are not UTF-8 are read byte by byte. Throws TemplateError; time and
    // memory are bounded by the limits.
    std::string render(const Json& variables, const RenderOptions& options = {}) const;

  private:
    std::string name_;
    TemplateTree tree_;
};

}  // namespace kvsplit::text::jinja
