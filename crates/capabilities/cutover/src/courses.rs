//! Which databases are led elsewhere at once, and which cannot be.

use std::collections::HashSet;
use std::future::Future;

use futures_util::{StreamExt, TryStreamExt};

use crate::{Course, Error};

/// How many databases are looked at, or made ready, at once.
const AT_ONCE: usize = 8;

/// Who is led where by one decision: the clients of one database, or of several. In the order of the databases' names, however
/// they were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Courses {
    first: Course,
    others: Vec<Course>,
}

impl Courses {
    /// Of these databases.
    ///
    /// # Errors
    /// [`Error::NotTogether`] where no one decision could lead them: none, one that is named twice, two of which one is where the
    /// other is led to or from, or courses of different ways or purposes.
    pub fn new(mut courses: Vec<Course>) -> Result<Self, Error> {
        let refuse = |reason: String| Err(Error::NotTogether { reason });
        courses.sort_by(|one, other| one.database.cmp(&other.database));
        let mut places = HashSet::new();
        for course in &courses {
            for place in [&course.from, &course.to] {
                if !places.insert(place.clone()) {
                    return refuse(format!("`{place}` belongs to two of them"));
                }
            }
        }
        let mut courses = courses.into_iter();
        let Some(first) = courses.next() else { return refuse("no database is named".to_owned()) };
        let others: Vec<Course> = courses.collect();
        let is_alike = |other: &Course| (other.direction, other.purpose) == (first.direction, first.purpose);
        if !others.iter().all(is_alike) {
            return refuse("they are not led the same way, for the same purpose".to_owned());
        }
        Ok(Self { first, others })
    }

    /// The one by whose database a cutover of all of them is known.
    pub(crate) const fn first(&self) -> &Course {
        &self.first
    }

    /// Whether it is one database.
    #[must_use]
    pub fn is_single(&self) -> bool {
        self.others.is_empty()
    }

    /// Each, in the order of the databases' names.
    pub fn iter(&self) -> impl Iterator<Item = &Course> + Clone + '_ {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl From<Course> for Courses {
    fn from(first: Course) -> Self {
        Self { first, others: Vec::new() }
    }
}

/// Does what is to be done of each database, a few at a time, until one fails.
pub(crate) async fn of_each<T, W>(works: Vec<W>) -> Result<Vec<T>, Error>
where
    W: Future<Output = Result<T, Error>>,
{
    futures_util::stream::iter(works).buffered(AT_ONCE).try_collect().await
}
