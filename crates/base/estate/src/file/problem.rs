//! What is wrong with an estate file, said for people: place, redacted line, next step.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use miette::{
    Diagnostic, LabeledSpan, MietteError, MietteSpanContents, NamedSource, Severity, SourceCode, SourceSpan,
    SpanContents,
};

use super::redact::Redacted;

/// A found problem before its place is made fit to show.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) code: &'static str,
    pub(crate) at: Range<usize>,
    pub(crate) message: String,
    pub(crate) label: &'static str,
    pub(crate) hint: Option<String>,
}

/// One problem of an estate file, with the line it is about.
///
/// Rendered by miette it shows the source; its `Display` is the message alone. No secret is in either.
#[derive(Clone)]
pub struct EstateProblem {
    code: &'static str,
    severity: Severity,
    file: String,
    line: usize,
    column: usize,
    message: String,
    hint: Option<String>,
    label: LabeledSpan,
    source: Excerpt,
}

/// The redacted file, which still gives the true column of its problem: what was cut out before it on the
/// same line would otherwise shift the place in the report's head.
#[derive(Clone)]
struct Excerpt {
    redacted: Arc<NamedSource<String>>,
    offset: usize,
    column: usize,
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let contents = self.redacted.read_span(span, lines_before, lines_after)?;
        // A report asks without context for the place alone.
        let is_place = (lines_before, lines_after, span.offset()) == (0, 0, self.offset);
        let column = if is_place { self.column } else { contents.column() };
        Ok(Box::new(MietteSpanContents::new_named(
            self.redacted.name().to_owned(),
            contents.data(),
            *contents.span(),
            contents.line(),
            column,
            contents.line_count(),
        )))
    }
}

impl EstateProblem {
    /// A stable name of the kind of problem, for example `estate::unknown_key`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The file as it was named by the caller.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// What to do next, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for EstateProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl fmt::Debug for EstateProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}: {} [{}]", self.file, self.line, self.column, self.message, self.code)
    }
}

impl std::error::Error for EstateProblem {}

impl Diagnostic for EstateProblem {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.hint.as_ref().map(|hint| Box::new(hint) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(self.label.clone())))
    }
}

/// Every problem found in an estate file, in the order of the file.
///
/// `Display` only counts them, as the head of a report that miette renders; [`EstateErrors::listing`] is for
/// places without miette.
pub struct EstateErrors {
    file: String,
    problems: Vec<EstateProblem>,
    left_out: usize,
}

impl EstateErrors {
    /// The problems, at most 100 of them.
    #[must_use]
    pub fn problems(&self) -> &[EstateProblem] {
        &self.problems
    }

    /// One line a problem, `file:line:column: message`, with its hint below.
    #[must_use]
    pub fn listing(&self) -> String {
        let mut text = String::new();
        for problem in &self.problems {
            let EstateProblem { file, line, column, message, .. } = problem;
            text += &format!("{file}:{line}:{column}: {message}\n");
            text.extend(problem.hint.iter().map(|hint| format!("  hint: {hint}\n")));
        }
        if self.left_out > 0 {
            text += &format!("and {} more\n", self.left_out);
        }
        text
    }
}

impl fmt::Display for EstateErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len() + self.left_out;
        let noun = if count == 1 { "problem" } else { "problems" };
        write!(formatter, "{count} {noun} in the estate file `{}`", self.file)
    }
}

impl fmt::Debug for EstateErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.listing())
    }
}

impl std::error::Error for EstateErrors {}

impl Diagnostic for EstateErrors {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.problems.iter().map(|problem| problem as &dyn Diagnostic)))
    }
}

const PROBLEMS_MAX: usize = 100;

/// Puts findings in the order of the file and gives each its redacted line.
pub(crate) fn describe(
    mut findings: Vec<Finding>,
    severity: Severity,
    file: &Path,
    original: &str,
    redacted: Redacted,
) -> EstateErrors {
    findings.sort_by_key(|finding| finding.at.start);
    let left_out = findings.len().saturating_sub(PROBLEMS_MAX);
    findings.truncate(PROBLEMS_MAX);
    let name = file.display().to_string();
    let places: Vec<_> =
        findings.iter().map(|finding| (redacted.place(finding.at.start), redacted.place(finding.at.end))).collect();
    let source = Arc::new(NamedSource::new(&name, redacted.text));
    let problems = findings
        .into_iter()
        .zip(places)
        .map(|(finding, (start, end))| {
            let (line, column) = line_and_column(original, finding.at.start);
            EstateProblem {
                code: finding.code,
                severity,
                file: name.clone(),
                line,
                column,
                message: finding.message,
                hint: finding.hint,
                label: LabeledSpan::new(Some(finding.label.to_owned()), start, end.saturating_sub(start)),
                source: Excerpt { redacted: Arc::clone(&source), offset: start, column: column - 1 },
            }
        })
        .collect();
    EstateErrors { file: name, problems, left_out }
}

impl EstateErrors {
    pub(crate) fn into_problems(self) -> Vec<EstateProblem> {
        self.problems
    }
}

fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before.get(start..).unwrap_or_default().chars().filter(|each| *each != '\u{feff}').count() + 1;
    (line, column)
}
