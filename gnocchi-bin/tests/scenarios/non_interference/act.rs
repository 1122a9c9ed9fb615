//! What callers do: requests as data, the same in every world.

use proptest::prelude::*;

mod request;

pub(super) use request::{METRICS, Request};

/// Who acts. The first two are of one tenant; the service works for the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    A1,
    A2,
    B1,
    B2,
    /// A service that fills what `B1` has.
    Service,
}

/// How callers say who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Names,
    Projects,
}

impl Who {
    pub(super) fn is_of_a(self) -> bool {
        matches!(self, Self::A1 | Self::A2)
    }

    /// Returns user, project and role.
    pub(super) fn identity(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::A1 => ("a1", "pa", "member"),
            Self::A2 => ("a2", "pa", "member"),
            Self::B1 => ("b1", "pb", "member"),
            Self::B2 => ("b2", "pb", "member"),
            Self::Service => ("service", "ps", "service"),
        }
    }

    fn creator(self, mode: Mode) -> String {
        let (user, project, _) = self.identity();
        match mode {
            Mode::Names => user.to_owned(),
            Mode::Projects => format!("{user}:{project}"),
        }
    }

    /// Returns whose things an act is about.
    fn meant(self, whose: Whose) -> Self {
        match (self, whose) {
            (own, Whose::Own) if own != Self::Service => own,
            // The service says ids only of what it fills; its own things it says by name.
            (who, Whose::OfService) if who != Self::Service => Self::Service,
            (Self::A1, Whose::OfMate) => Self::A2,
            (Self::B1, Whose::OfMate) => Self::B2,
            (Self::A2, Whose::OfMate) | (Self::B1 | Self::B2, Whose::Foreign) => Self::A1,
            _ => Self::B1,
        }
    }
}

/// Whose things an act is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Own,
    /// Those of another user of the same project.
    OfMate,
    /// Those of the other tenant.
    Foreign,
    /// Those that the service has under names of its own, or that have the ids of these names.
    OfService,
}

/// A resource: two have names that all callers use, the last one a UUID.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    whose: Whose,
    slot: u8,
}

/// A metric, which may or may not exist.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number {
    whose: Whose,
    number: u8,
}

/// Something that a caller does. Numbers choose among a few texts.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Create {
        slot: u8,
        body: u8,
    },
    /// Gives the id that a name of the service stands for to a resource.
    TakeId {
        slot: u8,
    },
    Patch {
        place: Place,
        body: u8,
    },
    Attach {
        place: Place,
        metric: Number,
        add: bool,
    },
    Delete {
        place: Place,
    },
    AddMetrics {
        place: Place,
        name: u8,
    },
    CreateMetric {
        on: Option<Place>,
        name: u8,
    },
    DeleteMetric {
        metric: Number,
    },
    DeleteNamed {
        place: Place,
        name: u8,
    },
    Send {
        metric: Number,
    },
    SendNamed {
        place: Place,
        name: u8,
    },
    SendMany {
        metrics: Vec<Number>,
    },
    SendManyNamed {
        places: Vec<Place>,
        name: u8,
        create: bool,
    },
    Line {
        slot: u8,
        name: u8,
    },
    RemoteWrite,
    Show {
        place: Place,
        part: u8,
    },
    ShowNamed {
        place: Place,
        name: u8,
        measures: bool,
    },
    ShowMetric {
        metric: Number,
        measures: bool,
    },
    List {
        listing: u8,
        page: u8,
    },
    Marked {
        listing: u8,
        place: Place,
        metric: Number,
    },
    Search {
        filter: Filter,
        history: bool,
    },
    BulkDelete {
        filter: Filter,
    },
    AcrossIds {
        metrics: Vec<Number>,
        details: bool,
    },
    AcrossResources {
        filter: Filter,
        query: u8,
        operations: u8,
    },
    Legacy {
        metrics: Vec<Number>,
    },
    LegacyResources {
        filter: Filter,
        name: u8,
        grouped: bool,
    },
    SearchValues {
        metrics: Vec<Number>,
    },
    Shared {
        document: u8,
    },
}

/// A filter of resources.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    kind: u8,
    place: Place,
}

fn whose() -> impl Strategy<Value = Whose> {
    prop_oneof![
        4 => Just(Whose::Own),
        1 => Just(Whose::OfMate),
        2 => Just(Whose::Foreign),
        1 => Just(Whose::OfService),
    ]
}

fn place() -> impl Strategy<Value = Place> {
    (whose(), 0..3_u8).prop_map(|(whose, slot)| Place { whose, slot })
}

fn number() -> impl Strategy<Value = Number> {
    (whose(), 0..5_u8).prop_map(|(whose, number)| Number { whose, number })
}

fn numbers() -> impl Strategy<Value = Vec<Number>> {
    prop::collection::vec(number(), 1..4)
}

fn filter() -> impl Strategy<Value = Filter> {
    (0..8_u8, place()).prop_map(|(kind, place)| Filter { kind, place })
}

fn act() -> impl Strategy<Value = Act> {
    let making = prop_oneof![
        6 => (0..3_u8, 0..6_u8).prop_map(|(slot, body)| Act::Create { slot, body }),
        2 => (place(), 0..6_u8).prop_map(|(place, body)| Act::Patch { place, body }),
        2 => (place(), number(), any::<bool>())
            .prop_map(|(place, metric, add)| Act::Attach { place, metric, add }),
        1 => place().prop_map(|place| Act::Delete { place }),
        2 => (place(), 0..3_u8).prop_map(|(place, name)| Act::AddMetrics { place, name }),
        3 => (prop::option::of(place()), 0..3_u8)
            .prop_map(|(on, name)| Act::CreateMetric { on, name }),
        1 => number().prop_map(|metric| Act::DeleteMetric { metric }),
        1 => (place(), 0..3_u8).prop_map(|(place, name)| Act::DeleteNamed { place, name }),
        1 => filter().prop_map(|filter| Act::BulkDelete { filter }),
    ];
    let sending = prop_oneof![
        2 => number().prop_map(|metric| Act::Send { metric }),
        2 => (place(), 0..3_u8).prop_map(|(place, name)| Act::SendNamed { place, name }),
        2 => numbers().prop_map(|metrics| Act::SendMany { metrics }),
        3 => (prop::collection::vec(place(), 1..3), 0..3_u8, any::<bool>())
            .prop_map(|(places, name, create)| Act::SendManyNamed { places, name, create }),
        2 => (0..3_u8, 0..3_u8).prop_map(|(slot, name)| Act::Line { slot, name }),
        1 => Just(Act::RemoteWrite),
    ];
    let looking = prop_oneof![
        3 => (place(), 0..3_u8).prop_map(|(place, part)| Act::Show { place, part }),
        2 => (place(), 0..3_u8, any::<bool>())
            .prop_map(|(place, name, measures)| Act::ShowNamed { place, name, measures }),
        2 => (number(), any::<bool>())
            .prop_map(|(metric, measures)| Act::ShowMetric { metric, measures }),
        4 => (0..5_u8, 0..3_u8).prop_map(|(listing, page)| Act::List { listing, page }),
        2 => (0..4_u8, place(), number())
            .prop_map(|(listing, place, metric)| Act::Marked { listing, place, metric }),
        3 => (filter(), any::<bool>()).prop_map(|(filter, history)| Act::Search { filter, history }),
        2 => (numbers(), any::<bool>())
            .prop_map(|(metrics, details)| Act::AcrossIds { metrics, details }),
        4 => (filter(), 0..5_u8, 0..3_u8).prop_map(|(filter, query, operations)| {
            Act::AcrossResources { filter, query, operations }
        }),
        1 => numbers().prop_map(|metrics| Act::Legacy { metrics }),
        2 => (filter(), 0..3_u8, any::<bool>()).prop_map(|(filter, name, grouped)| {
            Act::LegacyResources { filter, name, grouped }
        }),
        1 => numbers().prop_map(|metrics| Act::SearchValues { metrics }),
        1 => (0..5_u8).prop_map(|document| Act::Shared { document }),
    ];
    prop_oneof![3 => making, 2 => sending, 4 => looking]
}

/// What a caller does.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) who: Who,
    pub(super) act: Act,
}

/// Returns what happens in a world.
pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = prop_oneof![
        4 => Just(Who::A1),
        2 => Just(Who::A2),
        4 => Just(Who::B1),
        1 => Just(Who::B2),
        1 => Just(Who::Service),
    ];
    let step = (who, act()).prop_map(|(who, act)| Step { who, act });
    let began = prop::sample::subsequence(beginning(), 0..=beginning().len());
    (began, prop::collection::vec(step, 1..50)).prop_map(|(mut steps, later)| {
        steps.extend(later);
        steps
    })
}

/// What most worlds have a part of: resources with metrics, measures and past revisions.
fn beginning() -> Vec<Step> {
    let own = |slot| Place {
        whose: Whose::Own,
        slot,
    };
    // No other caller can have these ids yet.
    let take = |slot| Step {
        who: Who::A1,
        act: Act::TakeId { slot },
    };
    let mut steps: Vec<Step> = (0..3).map(take).collect();
    for slot in 0..3 {
        for who in [Who::B1, Who::A1] {
            let act = Act::Create { slot, body: 3 };
            steps.push(Step { who, act });
        }
        for who in [Who::B1, Who::A1] {
            for body in [1, 4] {
                let place = own(slot);
                let act = Act::Patch { place, body };
                steps.push(Step { who, act });
            }
            let places = vec![own(slot)];
            let act = Act::SendManyNamed {
                places,
                name: slot,
                create: true,
            };
            steps.push(Step { who, act });
        }
    }
    steps
}
