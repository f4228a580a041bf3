//! What stage a data channel is in, pure: who comes first, the client or the order, does not matter.
//!
//! ```text
//! Idle ──connected──► Held            no order yet
//!  │                   │
//!  └──────begin────────┴──► Opening ──opened──► Awaiting ──connected──► Running ──ended──► Over
//! ```

/// One data channel's stage.
#[derive(Debug)]
pub struct Channel {
    dials: bool,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nobody is there and nothing is ordered.
    Idle,
    /// The client came before its order and is held.
    Held,
    /// The file is being opened.
    Opening { held: bool, aborted: bool },
    /// The transfer has begun and waits for its connection.
    Awaiting,
    /// Bytes move.
    Running,
    /// Nothing happens any more.
    Over,
}

/// What follows from an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing now.
    Wait,
    /// Dial the other end.
    Dial,
    /// Connection and file are there: let bytes move.
    Run,
    /// The channel goes away and nobody is told.
    Vanish,
    /// The transfer's task is told to stop because nobody connected; it reports the end.
    GiveUp,
    /// Whoever opens the file, or the transfer's task, is told to stop because of an order; the task
    /// reports the end.
    Abort,
}

/// The channel has its transfer already, or is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlreadyBegun;

impl Channel {
    /// A channel that listens, or one that dials when its transfer begins.
    pub fn new(dials: bool) -> Self {
        Channel {
            dials,
            stage: Stage::Idle,
        }
    }

    /// The other end is there.
    pub fn connected(&mut self) -> Step {
        match self.stage {
            Stage::Idle => self.to(Stage::Held, Step::Wait),
            Stage::Opening { aborted, .. } => self.to(
                Stage::Opening {
                    held: true,
                    aborted,
                },
                Step::Wait,
            ),
            Stage::Awaiting => self.to(Stage::Running, Step::Run),
            Stage::Held | Stage::Running | Stage::Over => Step::Wait,
        }
    }

    /// The other end cannot be reached, or listening failed.
    pub fn unreachable(&mut self) -> Step {
        match self.stage {
            Stage::Idle => self.to(Stage::Over, Step::Vanish),
            Stage::Awaiting => self.to(Stage::Running, Step::GiveUp),
            // A listener that breaks while the file is opened is found out by the time limit.
            _ => Step::Wait,
        }
    }

    /// The order is there; the file is to be opened.
    ///
    /// # Errors
    /// When it has one already.
    pub fn begin(&mut self) -> Result<(), AlreadyBegun> {
        let held = match self.stage {
            Stage::Idle => false,
            Stage::Held => true,
            _ => return Err(AlreadyBegun),
        };
        let aborted = false;
        self.stage = Stage::Opening { held, aborted };
        Ok(())
    }

    /// The file is open. [`Step::Vanish`]: it was aborted meanwhile.
    pub fn opened(&mut self) -> Step {
        match self.stage {
            Stage::Opening { aborted: true, .. } => self.to(Stage::Over, Step::Vanish),
            Stage::Opening { held: true, .. } => self.to(Stage::Running, Step::Run),
            Stage::Opening { .. } if self.dials => self.to(Stage::Awaiting, Step::Dial),
            Stage::Opening { .. } => self.to(Stage::Awaiting, Step::Wait),
            _ => Step::Wait,
        }
    }

    /// The file could not be opened: the order fails, and the channel with it.
    pub fn refused(&mut self) -> Step {
        self.to(Stage::Over, Step::Vanish)
    }

    /// The time to connect, or to begin, is over.
    pub fn due(&mut self) -> Step {
        match self.stage {
            Stage::Idle | Stage::Held => self.to(Stage::Over, Step::Vanish),
            Stage::Awaiting => self.to(Stage::Running, Step::GiveUp),
            Stage::Opening { .. } | Stage::Running | Stage::Over => Step::Wait,
        }
    }

    /// The master does not want it any more.
    pub fn abort(&mut self) -> Step {
        match self.stage {
            Stage::Idle | Stage::Held => self.to(Stage::Over, Step::Vanish),
            Stage::Opening { held, .. } => {
                let aborted = true;
                self.to(Stage::Opening { held, aborted }, Step::Abort)
            }
            Stage::Awaiting | Stage::Running => self.to(Stage::Running, Step::Abort),
            Stage::Over => Step::Wait,
        }
    }

    fn to(&mut self, stage: Stage, step: Step) -> Step {
        self.stage = stage;
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening() -> Channel {
        Channel::new(false)
    }

    fn dialling() -> Channel {
        Channel::new(true)
    }

    fn begun(mut channel: Channel) -> Channel {
        channel.begin().unwrap();
        channel.opened();
        channel
    }

    #[test]
    fn a_client_that_comes_early_is_held_until_its_order() {
        let mut channel = listening();
        assert_eq!(channel.connected(), Step::Wait);
        channel.begin().unwrap();
        assert_eq!(channel.opened(), Step::Run);
    }

    #[test]
    fn a_client_that_comes_while_the_file_is_opened_is_not_lost() {
        let mut channel = listening();
        channel.begin().unwrap();
        assert_eq!(channel.connected(), Step::Wait);
        assert_eq!(channel.opened(), Step::Run);
    }

    #[test]
    fn a_client_may_come_after_its_order() {
        let mut channel = begun(listening());
        assert_eq!(channel.connected(), Step::Run);
    }

    #[test]
    fn dialling_begins_when_the_file_is_open() {
        let mut channel = dialling();
        channel.begin().unwrap();
        assert_eq!(channel.opened(), Step::Dial);
        assert_eq!(channel.connected(), Step::Run);
    }

    #[test]
    fn a_second_order_is_refused() {
        let mut channel = begun(listening());
        assert_eq!(channel.begin(), Err(AlreadyBegun));
        channel.connected();
        assert_eq!(channel.begin(), Err(AlreadyBegun));
    }

    #[test]
    fn without_an_order_the_channel_goes_away_in_silence() {
        assert_eq!(listening().due(), Step::Vanish);
        let mut held = listening();
        held.connected();
        assert_eq!(held.due(), Step::Vanish);
        assert_eq!(held.begin(), Err(AlreadyBegun));
    }

    #[test]
    fn with_an_order_but_nobody_there_the_transfer_is_given_up_once() {
        let mut channel = begun(listening());
        assert_eq!(channel.due(), Step::GiveUp);
        assert_eq!(channel.due(), Step::Wait);
        assert_eq!(begun(dialling()).unreachable(), Step::GiveUp);
    }

    #[test]
    fn a_running_transfer_has_no_time_to_connect() {
        let mut channel = begun(listening());
        channel.connected();
        assert_eq!(channel.due(), Step::Wait);
        let mut opening = listening();
        opening.begin().unwrap();
        assert_eq!(opening.due(), Step::Wait);
    }

    #[test]
    fn an_abort_stops_what_runs_and_removes_what_does_not() {
        assert_eq!(listening().abort(), Step::Vanish);
        assert_eq!(begun(listening()).abort(), Step::Abort);
        let mut running = begun(listening());
        running.connected();
        assert_eq!(running.abort(), Step::Abort);
    }

    #[test]
    fn an_abort_while_the_file_is_opened_counts_when_it_is_open() {
        let mut channel = listening();
        channel.begin().unwrap();
        assert_eq!(channel.abort(), Step::Abort);
        assert_eq!(channel.connected(), Step::Wait);
        assert_eq!(channel.opened(), Step::Vanish);
    }
}
