"""Feedback's RPCs, of which each subject has its own part."""

from services.feedback.event_servicer import EventRpcs
from services.feedback.popularity import Trending
from services.feedback.profile_servicer import ProfileRpcs
from services.feedback.profiles import Profiles
from services.feedback.recording import ImpressionRecorder
from services.feedback.recording_events import EventRecorder
from services.feedback.statistics import Statistics
from services.feedback.statistics_pairs import CoOccurrences
from services.feedback.statistics_servicer import StatisticsRpcs


class FeedbackServicer(EventRpcs, ProfileRpcs, StatisticsRpcs):
    """Answers and counts; what is recorded is on disk before the answer."""

    def __init__(
        self,
        events: EventRecorder,
        recorder: ImpressionRecorder,
        profiles: Profiles,
        statistics: Statistics,
        co_occurrences: CoOccurrences,
        trending: Trending,
    ) -> None:
        EventRpcs.__init__(self, events)
        ProfileRpcs.__init__(self, recorder, profiles)
        self._statistics, self._co_occurrences, self._trending = statistics, co_occurrences, trending
